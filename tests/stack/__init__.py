"""The real containers, tested: `make test-stack`. That needs Docker; `make test` leaves it out."""
