// The load for TLS servers that echo, by OpenSSL on threads. new: shake hands, have
// 64 bytes echoed, hang up, again and again; resumed: the same, each time with the
// session of the time before; bulk: have 64 KiB echoed, again and again.
// Usage: tls PORT new|resumed|bulk THREADS SECONDS
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

enum { SMALL = 64, BULK = 64 << 10 };

static int port, resume, bulk;
static SSL_CTX *context;
static double start, end;
static long handshakes, resumed, echoes, all;  // of all threads

static int echo(SSL *tls, char *message, int size) {
	if (SSL_write(tls, message, size) != size)
		return 0;
	for (int got = 0; got < size;) {
		int n = SSL_read(tls, message + got, size - got);
		if (n <= 0)
			return 0;
		got += n;
	}
	return 1;
}

static SSL *shake(SSL_SESSION *session) {
	SSL *tls = SSL_new(context);
	SSL_set_fd(tls, dial(port));
	if (session)
		SSL_set_session(tls, session);
	if (SSL_connect(tls) != 1)
		fail("tls: handshake");
	return tls;
}

static void hang_up(SSL *tls) {
	int fd = SSL_get_fd(tls);
	SSL_set_shutdown(tls, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // so that the session stays good
	SSL_free(tls);
	close(fd);
}

static void *handshake_loop(void *unused) {
	char message[SMALL] = {'x'};
	SSL_SESSION *session = NULL;
	for (double t; (t = now()) < end;) {
		SSL *tls = shake(session);
		if (!echo(tls, message, SMALL))
			fail("tls: echo");
		__sync_fetch_and_add(&all, 1);
		if (t >= start) {
			__sync_fetch_and_add(&handshakes, 1);
			__sync_fetch_and_add(&resumed, SSL_session_reused(tls));
		}
		if (resume) {
			SSL_SESSION_free(session);
			session = SSL_get1_session(tls);
		}
		hang_up(tls);
	}
	return unused;
}

static void *bulk_loop(void *unused) {
	char *message = calloc(1, BULK);
	SSL *tls = shake(NULL);
	for (double t; (t = now()) < end;) {
		if (!echo(tls, message, BULK))
			fail("tls: echo");
		__sync_fetch_and_add(&all, 1);
		__sync_fetch_and_add(&echoes, t >= start);
	}
	hang_up(tls);
	return unused;
}

int main(int argc, char **argv) {
	if (argc != 5) {
		fprintf(stderr, "usage: tls PORT new|resumed|bulk THREADS SECONDS\n");
		return 2;
	}
	int threads = atoi(argv[3]);
	double seconds = atof(argv[4]);
	pthread_t ids[threads];
	port = atoi(argv[1]);
	resume = !strcmp(argv[2], "resumed");
	bulk = !strcmp(argv[2], "bulk");
	signal(SIGPIPE, SIG_IGN);
	context = SSL_CTX_new(TLS_client_method());
	start = now() + seconds / 4;
	end = start + seconds;
	for (int i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, bulk ? bulk_loop : handshake_loop, NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("messages %ld\n", all);
	if (bulk) {
		printf("mb/s %.1f\n", echoes * (double)BULK / seconds / 1e6);
		return 0;
	}
	printf("handshakes/s %.0f\nresumed-share %.2f\n", handshakes / seconds, handshakes ? (double)resumed / handshakes : 0);
}
