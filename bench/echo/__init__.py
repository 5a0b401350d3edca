"""The echo service measured beside a bare epoll loop, Go, Node and what tutorials show."""
