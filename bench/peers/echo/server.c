// The floor for TCP echo: one thread, one epoll descriptor, edge-triggered, one
// buffer for all connections. Like the others it reads until a short read.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[4096];

static void echo(int fd) {
	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || send(fd, buffer, n, MSG_NOSIGNAL) != n) {
			close(fd);
			return;
		}
		if (n < (ssize_t)sizeof buffer)
			return;
	}
}

static void accept_all(int epoll, int listener) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
	}
}

int main(int argc, char **argv) {
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
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
