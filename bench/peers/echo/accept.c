// The load for accepting connections: opens a batch of them, sends 64 bytes on
// each, reads their echoes, and resets them. It counts those whose echo has come.
// Usage: accept PORT BATCH SECONDS
#include <unistd.h>

#include "common.h"

enum { MOST = 1024, SIZE = 64 };

int main(int argc, char **argv) {
	if (argc != 4 || atoi(argv[2]) > MOST) {
		fprintf(stderr, "usage: accept PORT BATCH SECONDS, with a batch of %d at most\n", MOST);
		return 2;
	}
	int port = atoi(argv[1]), batch = atoi(argv[2]), fds[MOST];
	double start = now(), end = start + atof(argv[3]);
	char message[SIZE] = {'x'};
	long count = 0;
	while (now() < end) {
		for (int i = 0; i < batch; i++) {
			fds[i] = dial(port);
			if (send(fds[i], message, SIZE, MSG_NOSIGNAL) != SIZE)
				fail("accept: write");
		}
		for (int i = 0; i < batch; i++) {
			if (recv(fds[i], message, SIZE, MSG_WAITALL) != SIZE)
				fail("accept: read");
			close(fds[i]);
		}
		count += batch;
	}
	printf("messages %ld\nconn/s %.0f\n", count, count / (now() - start));
}
