// The load for UDP echo: S sockets, each sends 64 bytes, waits for their echo, and
// sends again. Datagrams may be lost: whoever waits for a tenth of a second sends again.
// Usage: udp PORT SOCKETS SECONDS
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <unistd.h>

#include "common.h"

enum { MOST = 1024, SIZE = 64 };

static char message[SIZE], buffer[2048];

int main(int argc, char **argv) {
	if (argc != 4 || atoi(argv[2]) > MOST) {
		fprintf(stderr, "usage: udp PORT SOCKETS SECONDS, with %d sockets at most\n", MOST);
		return 2;
	}
	int port = atoi(argv[1]), sockets = atoi(argv[2]), fds[MOST], epoll = epoll_create1(0);
	double seconds = atof(argv[3]), start = now() + seconds / 4, t = 0;
	struct epoll_event events[MOST];
	long count = 0, all = 0, lost = 0;
	for (int i = 0; i < sockets; i++) {
		fds[i] = connected(SOCK_DGRAM, port);
		struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = fds[i]};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &ev);
		send(fds[i], message, SIZE, 0);
	}
	while ((t = now()) < start + seconds) {
		int n = epoll_wait(epoll, events, MOST, 100);
		for (int i = 0; n == 0 && i < sockets; i++, lost++)
			send(fds[i], message, SIZE, 0);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			while (recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) == SIZE) {
				all++;
				count += t >= start;
				send(fd, message, SIZE, 0);
			}
		}
	}
	printf("messages %ld\nmsg/s %.0f\nlost %ld\n", all, count / (t - start), lost);
	return all == 0;
}
