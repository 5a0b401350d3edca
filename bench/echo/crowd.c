/* A crowd: many connections at once, each of which must be served.
 *
 *   crowd ADDRESS PORT CONNECTIONS AT_ONCE
 *
 * Opens CONNECTIONS, at most AT_ONCE of them in the opening, sends one message on each and compares
 * what comes back; prints a JSON object; then holds them all. Every line on standard input makes
 * it send on all connections again, and print again. End of input ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512 };

struct connection {
    int fd;
    uint64_t asked;
    uint32_t word; /* what it sends: its own number, so that answers cannot be mixed up */
    int state;     /* 0 closed, 1 connecting, 2 waiting for the answer, 3 served */
};

static struct connection *all;
static size_t count, served, lost;
static uint64_t *durations;
static int poller;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void watch(struct connection *c, int operation, unsigned events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(poller, operation, c->fd, &e);
}

static void lose(struct connection *c) {
    close(c->fd);
    c->state = 0;
    lost++;
}

static void ask(struct connection *c) {
    if (send(c->fd, &c->word, sizeof c->word, MSG_NOSIGNAL) != sizeof c->word) return lose(c);
    c->state = 2;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

static void begin(struct connection *c, const struct sockaddr_in *to, size_t i) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    /* One local address for a few hundred: neither ports nor a cap on one peer run out. */
    from.sin_addr.s_addr = htonl(0x7f020001u + (uint32_t)(i / 200));
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    c->word = (uint32_t)i;
    c->asked = now();
    c->state = 1;
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof from) ||
        (connect(c->fd, (const struct sockaddr *)to, sizeof *to) && errno != EINPROGRESS))
        return lose(c);
    watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void answer(struct connection *c) {
    uint32_t word = 0;
    if (recv(c->fd, &word, sizeof word, 0) != sizeof word || word != c->word) return lose(c);
    c->state = 3;
    durations[served++] = now() - c->asked;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void step(int timeout) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(poller, events, EVENTS, timeout);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->state == 1) ask(c);
        else if (c->state == 2) answer(c);
        else if (c->state == 3) lose(c), served--;
    }
}

static void report(double seconds) {
    qsort(durations, served, sizeof *durations, ascending);
    printf("{\"served\": %zu, \"lost\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f}\n",
           served, lost, seconds, served ? (double)durations[served / 2] / 1e3 : 0,
           served ? (double)durations[served * 99 / 100] / 1e3 : 0);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &to.sin_addr);
    count = strtoul(argv[3], NULL, 10);
    size_t at_once = strtoul(argv[4], NULL, 10), opened = 0;
    all = calloc(count, sizeof *all);
    durations = calloc(count, sizeof *durations);
    poller = epoll_create1(0);
    uint64_t start = now(), deadline = start + 60000000000u;
    while (served + lost < count && now() < deadline) {
        while (opened < count && opened - served - lost < at_once) {
            begin(&all[opened], &to, opened);
            opened++;
        }
        step(1000);
    }
    report((double)(now() - start) / 1e9);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        size_t before = served;
        served = 0;
        start = now();
        deadline = start + 60000000000u;
        for (size_t i = 0; i < count; i++)
            if (all[i].state == 3) {
                all[i].asked = now();
                ask(&all[i]);
                if (i % 64 == 63) step(0);
            }
        while (served + lost < count && served < before && now() < deadline) step(1000);
        report((double)(now() - start) / 1e9);
    }
    return lost != 0;
}
