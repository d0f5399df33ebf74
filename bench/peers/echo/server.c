// The floor for TCP echo: one thread, one epoll descriptor, edge-triggered, one
// buffer for all connections. Like the others it reads until a short read.
// Usage: server PORT SIZE, the size of the buffer.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 1 << 17, ROOM = 128 << 10 };

// rest is what a connection could not be sent yet: nothing more is read before that.
static struct rest {
	char *bytes;
	ssize_t length;
} rests[DESCRIPTORS];

static char buffer[ROOM];
static ssize_t size;

static void hang_up(int fd) {
	free(rests[fd].bytes);
	rests[fd] = (struct rest){0};
	close(fd);
}

// all_sent sends what it can and keeps the rest.
static int all_sent(int fd, char *bytes, ssize_t length) {
	ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		hang_up(fd);
		return 0;
	}
	struct rest *r = &rests[fd];
	if (n == length) {
		r->length = 0;
		return 1;
	}
	if (!r->bytes)
		r->bytes = malloc(ROOM);
	r->length = length - (n < 0 ? 0 : n);
	memmove(r->bytes, bytes + length - r->length, r->length);
	return 0;
}

static void echo(int fd) {
	if (rests[fd].length && !all_sent(fd, rests[fd].bytes, rests[fd].length))
		return;
	for (;;) {
		ssize_t n = recv(fd, buffer, size, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			hang_up(fd);
			return;
		}
		if (!all_sent(fd, buffer, n) || n < size)
			return;
	}
}

static void accept_all(int epoll, int listener) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
	}
}

int main(int argc, char **argv) {
	size = argc > 2 ? atoi(argv[2]) : 0;
	if (size < 1 || size > ROOM) {
		fprintf(stderr, "usage: server PORT SIZE\n");
		return 2;
	}
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&addr, sizeof addr) || listen(listener, 4096)) {
		perror("echo server: listen");
		return 1;
	}
	int epoll = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, events[1024];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(epoll, events, 1024, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	}
}
