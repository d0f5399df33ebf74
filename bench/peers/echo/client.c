// The load for TCP echo, the same for every server: C connections, each sends 64
// bytes, waits for their echo, and sends again. Prints what it measured as
// "name value" lines. Usage: client PORT CONNECTIONS SECONDS
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, BUCKETS = 1000000 };  // a bucket is 1 µs of latency

struct connection {
	int fd, got;
	double sent;
};

static char message[SIZE], buffer[4096];
static long latencies[BUCKETS + 1];

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static void ask(struct connection *c) {
	c->got = 0;
	c->sent = now();
	if (send(c->fd, message, SIZE, MSG_NOSIGNAL) != SIZE)
		fail("echo client: write");
}

static void dial(struct connection *c, int epoll, int port) {
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct linger reset = {1, 0};  // so that thousands of runs leave no TIME_WAIT behind
	int one = 1;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof addr))
		fail("echo client: connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = c};
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

static double percentile(long total, double p) {
	long seen = 0;
	for (int i = 0; i <= BUCKETS; i++)
		if ((seen += latencies[i]) >= total * p)
			return i;
	return BUCKETS;
}

int main(int argc, char **argv) {
	if (argc != 4) {
		fprintf(stderr, "usage: client PORT CONNECTIONS SECONDS\n");
		return 2;
	}
	int port = atoi(argv[1]), connections = atoi(argv[2]), epoll = epoll_create1(0);
	double seconds = atof(argv[3]), warm_up = 0.5;
	struct connection *all = calloc(connections, sizeof *all);
	struct epoll_event events[1024];
	memset(message, 'x', SIZE);
	for (int i = 0; i < connections; i++)
		dial(&all[i], epoll, port);
	for (int i = 0; i < connections; i++)
		ask(&all[i]);

	double start = now() + warm_up, t = 0;
	long total = 0, warming = 0;
	while ((t = now()) < start + seconds) {
		int n = epoll_wait(epoll, events, 1024, 1000);
		if (n == 0) {
			fprintf(stderr, "echo client: no answer for a second\n");
			return 1;
		}
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			ssize_t r = recv(c->fd, buffer, sizeof buffer, 0);
			if (r == 0 || (r < 0 && errno != EAGAIN))
				fail("echo client: read");
			if (r < 0 || (c->got += r) < SIZE)
				continue;
			double end = now();
			if (end >= start) {
				long us = (end - c->sent) * 1e6;
				latencies[us < BUCKETS ? us : BUCKETS]++;
				total++;
			} else {
				warming++;
			}
			ask(c);
		}
	}
	printf("messages %ld\nmsg/s %.0f\n", warming + total, total / (t - start));
	printf("p50-us %.0f\np99-us %.0f\n", percentile(total, .5), percentile(total, .99));
}
