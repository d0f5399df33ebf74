// What the load generators for servers share.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static inline double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static inline void fail(const char *what) {
	perror(what);
	exit(1);
}

// connected returns a socket of the type that is connected to the port on loopback.
static inline int connected(int type, int port) {
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, type, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr))
		fail("load: connect");
	return fd;
}

// dial returns a TCP connection that sends at once. Its close resets it, so that
// thousands of runs leave no TIME_WAIT behind.
static inline int dial(int port) {
	struct linger reset = {1, 0};
	int fd = connected(SOCK_STREAM, port), one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	return fd;
}
