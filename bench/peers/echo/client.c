// The load for TCP echo, the same for every server: C connections, each sends a
// message, waits for its echo, and sends again. Prints what it measured as
// "name value" lines. Usage: client PORT CONNECTIONS SIZE SECONDS
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "common.h"

enum {
	BUCKETS = 1000000,  // a bucket is 1 µs of latency
	BATCH = 256,        // connections that are opened before the server must have answered them
	ROOM = 128 << 10,
};

struct connection {
	int fd, sent, got;
	double asked;
};

static char message[ROOM], buffer[ROOM];
static int size, epoll;
static long answers, latencies[BUCKETS + 1];
static double since;  // from when on it counts; before, nobody asks again

static void send_more(struct connection *c) {
	while (c->sent < size) {
		ssize_t n = send(c->fd, message + c->sent, size - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("echo client: write");
		c->sent += n;
	}
}

static void ask(struct connection *c, double t) {
	c->sent = c->got = 0;
	c->asked = t;
	send_more(c);
}

// received reports whether the echo is complete.
static int received(struct connection *c) {
	while (c->got < size) {
		ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			fail("echo client: read");
		c->got += n;
		if (n < (ssize_t)sizeof buffer)
			break;  // that was all: there will be another event
	}
	return c->got == size;
}

// turn handles what has happened; again: who has its answer asks again.
static void turn(int again) {
	struct epoll_event events[1024];
	int n = epoll_wait(epoll, events, 1024, 10000);
	if (n == 0) {
		fprintf(stderr, "echo client: no answer for ten seconds\n");
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;
		if (c->sent < size)
			send_more(c);
		if (!(events[i].events & EPOLLIN) || !received(c))
			continue;
		double t = now();
		if (again && t >= since) {
			long us = (t - c->asked) * 1e6;
			latencies[us < BUCKETS ? us : BUCKETS]++;
		}
		answers++;
		if (again)
			ask(c, t);
	}
}

static void run(double seconds) {
	double end = now() + seconds;
	while (now() < end)
		turn(1);
}

static void open_all(struct connection *all, int connections, int port) {
	for (int i = 0; i < connections; i++) {
		struct connection *c = &all[i];
		c->fd = dial(port);
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
		struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
		epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev);
		ask(c, now());
		if (i % BATCH == BATCH - 1 || i == connections - 1)
			while (answers <= i)
				turn(0);
	}
}

static double percentile(long total, double p) {
	long seen = 0;
	for (int i = 0; i <= BUCKETS; i++)
		if ((seen += latencies[i]) >= total * p)
			return i;
	return BUCKETS;
}

int main(int argc, char **argv) {
	if (argc != 5) {
		fprintf(stderr, "usage: client PORT CONNECTIONS SIZE SECONDS\n");
		return 2;
	}
	int port = atoi(argv[1]), connections = atoi(argv[2]);
	double seconds = atof(argv[4]);
	size = atoi(argv[3]);
	epoll = epoll_create1(0);
	struct connection *all = calloc(connections, sizeof *all);
	if (size < 1 || size > ROOM || !all)
		fail("echo client: size");
	memset(message, 'x', size);
	since = 1e300;
	open_all(all, connections, port);

	for (int i = 0; i < connections; i++)
		ask(&all[i], now());
	run(seconds / 4);  // warm-up
	since = now();
	long before = answers;
	run(seconds);
	long counted = answers - before;
	printf("messages %ld\nmsg/s %.0f\n", answers, counted / (now() - since));
	printf("p50-us %.0f\np99-us %.0f\n", percentile(counted, .5), percentile(counted, .99));
}
