/* A load generator for echo servers: one thread, epoll, every returned byte compared.
 *
 *   load ADDRESS PORT CONNECTIONS BYTES DEPTH SECONDS [step]
 *
 * Each connection keeps DEPTH messages of BYTES in flight. What it sends is a walk through a
 * random pattern that begins elsewhere for each connection, so that bytes of another connection,
 * or of another place of the same one, do not pass. Prints one JSON object. Exits with 1 when a
 * byte is wrong or a connection is lost.
 *
 * It begins to measure once every connection was served once. With `step` it says "ready" then, waits
 * for a line, and after its result for another one, with all connections open: who measures the
 * server in between measures messages, and not how connections come and go.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PATTERN = 1 << 20, CHUNK = 1 << 16, EVENTS = 512, BINS = 4096 };

struct connection {
    int fd;
    uint64_t sent, received, allowed; /* bytes; `allowed` is what may have been sent by now */
    uint64_t start;                   /* where in the pattern its walk begins */
    uint64_t asked;                   /* when the oldest message in flight was sent, ns */
    int wants_out;
};

static unsigned char pattern[PATTERN + CHUNK];
static uint32_t bins[BINS]; /* round trips by duration: 64 bins for each power of two of ns */
static int poller;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Log-linear: 64 bins for each power of two of nanoseconds, from 64 ns on. */
static void record(uint64_t ns) {
    if (ns < 64) ns = 64;
    int power = 63 - __builtin_clzll(ns);
    int bin = (power - 6) * 64 + (int)((ns >> (power - 6)) - 64);
    bins[bin < BINS ? bin : BINS - 1]++;
}

static double percentile(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BINS; i++) total += bins[i];
    for (int i = 0; i < BINS; i++)
        if ((seen += bins[i]) >= share * (double)total)
            return (double)((uint64_t)(64 + i % 64) << (i / 64));
    return 0;
}

static void want(struct connection *c, int out) {
    if (c->wants_out == out) return;
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e)) die("epoll_ctl");
    c->wants_out = out;
}

static void push(struct connection *c) {
    while (c->sent < c->allowed) {
        uint64_t left = c->allowed - c->sent;
        size_t length = left < CHUNK ? left : CHUNK;
        ssize_t n = send(c->fd, pattern + (c->start + c->sent) % PATTERN, length, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) {
                want(c, 1);
                return;
            }
            die("send");
        }
        c->sent += (uint64_t)n;
    }
    want(c, 0);
}

static uint64_t pull(struct connection *c, uint64_t bytes, int refill) {
    static unsigned char buffer[CHUNK];
    uint64_t messages = 0;
    for (;;) {
        ssize_t n = recv(c->fd, buffer, CHUNK, 0);
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) die(n ? "recv" : "connection closed by the server");
        if (memcmp(buffer, pattern + (c->start + c->received) % PATTERN, (size_t)n)) {
            fprintf(stderr, "load: wrong bytes\n");
            exit(1);
        }
        uint64_t before = c->received / bytes;
        c->received += (uint64_t)n;
        uint64_t whole = c->received / bytes - before;
        messages += whole;
        if (whole) {
            uint64_t t = now();
            record(t - c->asked);
            c->asked = t;
        }
        if (refill) c->allowed += whole * bytes;
        if (n < CHUNK) break;
    }
    return messages;
}

static void open_connection(struct connection *c, const struct sockaddr_in *to, uint64_t i) {
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) die("socket");
    /* Many local addresses, so that neither ports nor a cap on one peer's connections run out. */
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(i / 200));
    int one = 1;
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
    if (connect(c->fd, (const struct sockaddr *)to, sizeof *to)) die("connect");
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK)) die("fcntl");
    c->start = (i * 7919u) % PATTERN;
}

/* Keep every connection busy until `end`, then wait for what is in flight; return when it ended. */
static uint64_t drive(struct connection *all, size_t count, uint64_t bytes, uint64_t end,
                      uint64_t *messages) {
    struct epoll_event events[EVENTS];
    uint64_t t = now(), outstanding = count;
    int refill = t < end;
    while (outstanding) {
        int n = epoll_wait(poller, events, EVENTS, 5000);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        if (n == 0) {
            fprintf(stderr, "load: nothing came for 5 s\n");
            exit(1);
        }
        if (refill && (t = now()) >= end) refill = 0;
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                uint64_t got = pull(c, bytes, refill);
                if (refill) *messages += got;
            }
            if (c->sent < c->allowed) push(c);
        }
        if (!refill) {
            outstanding = 0;
            for (size_t i = 0; i < count; i++) outstanding += all[i].received < all[i].allowed;
        }
    }
    return t;
}

static void allow(struct connection *all, size_t count, uint64_t bytes) {
    for (size_t i = 0; i < count; i++) {
        all[i].allowed += bytes;
        all[i].asked = now();
        push(&all[i]);
    }
}

static void wait_for_line(void) {
    int c;
    while ((c = getchar()) != '\n' && c != EOF) continue;
}

int main(int argc, char **argv) {
    if (argc != 7 && argc != 8) {
        fprintf(stderr, "usage: load ADDRESS PORT CONNECTIONS BYTES DEPTH SECONDS [step]\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) die("address");
    size_t count = strtoul(argv[3], NULL, 10);
    uint64_t bytes = strtoull(argv[4], NULL, 10), depth = strtoull(argv[5], NULL, 10);
    double seconds = atof(argv[6]);

    srandom(1);
    for (size_t i = 0; i < PATTERN; i++) pattern[i] = (unsigned char)random();
    memcpy(pattern + PATTERN, pattern, CHUNK);
    poller = epoll_create1(0);
    struct connection *all = calloc(count, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        open_connection(&all[i], &to, i);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &e)) die("epoll_ctl");
    }
    uint64_t messages = 0, total = 0;
    allow(all, count, bytes);
    drive(all, count, bytes, 0, &messages);
    memset(bins, 0, sizeof bins);
    if (argc == 8) {
        puts("ready");
        fflush(stdout);
        wait_for_line();
    }
    for (size_t i = 0; i < count; i++) total -= all[i].received / bytes;
    uint64_t begin = now();
    allow(all, count, depth * bytes);
    uint64_t t = drive(all, count, bytes, begin + (uint64_t)(seconds * 1e9), &messages);
    double lasted = (double)(t - begin) / 1e9;
    for (size_t i = 0; i < count; i++) total += all[i].received / bytes;
    printf("{\"messages\": %llu, \"seconds\": %.6f, \"messages_per_second\": %.1f, "
           "\"mib_per_second\": %.3f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           (unsigned long long)total, lasted, (double)messages / lasted,
           (double)messages * (double)bytes / lasted / 1048576.0, percentile(0.50) / 1e3,
           percentile(0.99) / 1e3);
    fflush(stdout);
    if (argc == 8) wait_for_line();
    return 0;
}
