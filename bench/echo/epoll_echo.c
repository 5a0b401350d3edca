/* The limit: a bare echo server, one thread, epoll, nothing else. It keeps no promise but the echo:
 * no limit, no time-out, no metric. A client that does not read blocks only itself: what cannot be
 * written waits in its own buffer, and reading it waits too.
 *
 *   epoll_echo PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, EVENTS = 512 };

struct connection {
    int fd;
    char *waiting; /* what could not be written */
    size_t from, to;
};

static int poller;

static void watch(struct connection *c, int operation, unsigned events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(poller, operation, c->fd, &e);
}

static void end(struct connection *c) {
    close(c->fd);
    free(c->waiting);
    free(c);
}

static void serve(struct connection *c, unsigned events) {
    static char buffer[BUFFER];
    if (events & EPOLLOUT) {
        ssize_t n = send(c->fd, c->waiting + c->from, c->to - c->from, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return end(c);
        if (n > 0) c->from += (size_t)n;
        if (c->from < c->to) return;
        free(c->waiting);
        c->waiting = NULL;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        return;
    }
    ssize_t n = recv(c->fd, buffer, BUFFER, 0);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) return;
        return end(c);
    }
    ssize_t sent = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return end(c);
    if (sent < 0) sent = 0;
    if (sent < n) {
        c->waiting = malloc((size_t)(n - sent));
        memcpy(c->waiting, buffer + sent, (size_t)(n - sent));
        c->from = 0;
        c->to = (size_t)(n - sent);
        watch(c, EPOLL_CTL_MOD, EPOLLOUT);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) {
        perror("epoll_echo");
        return 1;
    }
    poller = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                serve(events[i].data.ptr, events[i].events);
                continue;
            }
            int fd;
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                struct connection *c = calloc(1, sizeof *c);
                c->fd = fd;
                watch(c, EPOLL_CTL_ADD, EPOLLIN);
            }
        }
    }
}
