package aionet_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// versions are those that differ in how they resume and close.
var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

func TestTLS_sessions_areResumed(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				config := serverConfig()
				config.MaxVersion = version
				addr, stop := serveStreams(t, ctx, "tcp", hello, aionet.WithTLS(config))
				client := clientConfig()
				client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				for i := range 3 {
					c, err := aionet.DialTLS(ctx, "tcp", addr, client)
					if err != nil {
						return err
					}
					if err := roundTripOf(c, "you\n", "hello you\n"); err != nil {
						return err
					}
					if state := c.ConnectionState(); state.DidResume != (i > 0) || state.Version != version {
						t.Errorf("connection %d: resumed %v, version %x", i, state.DidResume, state.Version)
					}
					c.Close()
				}
				stop()
				return nil
			})
		})
	}
}

// conformance: tls-35
func TestTLS_applicationProtocol_isAgreedOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		server, client := serverConfig(), clientConfig()
		server.NextProtos = []string{"new/2", "old/1"}
		for _, c := range []struct {
			offer []string
			want  string
		}{{[]string{"old/1", "new/2"}, "new/2"}, {[]string{"old/1"}, "old/1"}, {nil, ""}} {
			client.NextProtos = c.offer
			a, b := pipe(t, ctx, "tcp")
			ours, theirs := startBoth(t, ctx, a, b, client, server)
			if got, other := ours.ConnectionState().NegotiatedProtocol, theirs.ConnectionState().NegotiatedProtocol; got != c.want || other != c.want {
				t.Errorf("of %q: %q and %q", c.offer, got, other)
			}
		}
		client.NextProtos = []string{"strange/9"}
		a, b := pipe(t, ctx, "tcp")
		starting := asyncio.CreateTask(ctx, func(ctx context.Context) (*aionet.TLSConn, error) {
			return aionet.StartTLS(ctx, b, server, aionet.ServerSide)
		})
		if _, err := aionet.StartTLS(ctx, a, client, aionet.ClientSide); err == nil || !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("the client: %v", err)
		}
		if _, err := starting.Await(ctx); err == nil {
			t.Error("the server agreed")
		}
		return nil
	})
}

func TestTLS_clientCertificate_isAskedForAndShown(t *testing.T) {
	run(t, func(ctx context.Context) error {
		cert, pool := certificate()
		server := serverConfig()
		server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, pool
		client := clientConfig()
		client.Certificates = []tls.Certificate{cert}
		a, b := pipe(t, ctx, "tcp")
		_, theirs := startBoth(t, ctx, a, b, client, server)
		if got := theirs.ConnectionState().PeerCertificates; len(got) != 1 || got[0].Subject.CommonName != "test" {
			t.Errorf("the server sees %v", got)
		}
		a, b = pipe(t, ctx, "tcp")
		starting := asyncio.CreateTask(ctx, func(ctx context.Context) (*aionet.TLSConn, error) {
			return aionet.StartTLS(ctx, b, server, aionet.ServerSide)
		})
		// In TLS 1.3 a client learns only from its first Read that it was refused.
		c, err := aionet.StartTLS(ctx, a, clientConfig(), aionet.ClientSide)
		if err == nil {
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("a client without certificate: %v", err)
		}
		if _, err := starting.Await(ctx); err == nil || !strings.Contains(err.Error(), "didn't provide a certificate") {
			t.Errorf("the server: %v", err)
		}
		return nil
	})
}

// A configuration without roots takes the system's, which are read in a thread.
func TestTLS_systemsRoots_doNotHoldTheLoop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		starting := asyncio.CreateTask(ctx, func(ctx context.Context) (*aionet.TLSConn, error) {
			return aionet.StartTLS(ctx, b, serverConfig(), aionet.ServerSide)
		})
		_, err := aionet.StartTLS(ctx, a, &tls.Config{ServerName: "localhost"}, aionet.ClientSide)
		if !errors.As(err, new(x509.UnknownAuthorityError)) {
			t.Errorf("StartTLS = %v", err)
		}
		if _, err := starting.Await(ctx); err == nil {
			t.Error("the server succeeded")
		}
		return nil
	})
}

// pemFiles writes the test's certificate and key for other programs.
func pemFiles(t *testing.T) (cert, key string) {
	t.Helper()
	c, _ := certificate()
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// program runs another program to its end, in a thread, and returns what it says.
func program(ctx context.Context, stdin, name string, args ...string) (string, error) {
	out, err := asyncio.ToThread(ctx, func() ([]byte, error) {
		cmd := exec.Command(name, args...)
		cmd.Stdin = strings.NewReader(stdin)
		return cmd.CombinedOutput()
	})
	return string(out), err
}

// openssl as the client: it resumes its session with us, and says so, and it gets a proper end.
//
// conformance: tls-21
func TestTLS_opensslClient_resumesItsSession(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed (Debian: apt-get install openssl): no session with a real client")
	}
	for name, flag := range map[string]string{"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				addr, stop := serveStreams(t, ctx, "tcp", hello, aionet.WithTLS(serverConfig()))
				session := filepath.Join(t.TempDir(), "session")
				for _, c := range []struct{ flag, want string }{{"-sess_out", "New, "}, {"-sess_in", "Reused, "}} {
					// -ign_eof: it goes on after its input's end, until we say goodbye.
					out, err := program(ctx, "openssl\n", path, "s_client", "-connect", addr, flag, "-ign_eof", c.flag, session)
					if err != nil || !strings.Contains(out, c.want) || !strings.Contains(out, "hello openssl") {
						t.Errorf("openssl s_client %s: %v, want %q in:\n%s", c.flag, err, c.want, out)
					}
				}
				stop()
				return nil
			})
		})
	}
}

// openssl as the server: we resume a session with it, show a certificate, agree on a protocol, and understand its end.
func TestTLS_opensslServer_resumesOurSession(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed (Debian: apt-get install openssl): no session with a real server")
	}
	for name, flag := range map[string]string{"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				certFile, keyFile := pemFiles(t)
				addr, err := opensslServer(t, ctx, path, "-cert", certFile, "-key", keyFile, "-CAfile", certFile,
					"-Verify", "1", "-alpn", "test/1", "-www", flag)
				if err != nil {
					return err
				}
				cert, _ := certificate()
				config := clientConfig()
				config.Certificates = []tls.Certificate{cert}
				config.NextProtos = []string{"test/1"}
				config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				for i, want := range []string{"New, ", "Reused, "} {
					r, w, err := aionet.OpenConnection(ctx, "tcp", addr, aionet.WithTLS(config))
					if err != nil {
						return err
					}
					_, _ = w.WriteString("GET / HTTP/1.0\r\n\r\n")
					page, err := r.ReadAll() // without a length: only a proper end lets it succeed
					if err != nil || !strings.Contains(string(page), want) {
						t.Errorf("connection %d: %v, want %q in:\n%s", i, err, want, page)
					}
					state := w.Conn().(*aionet.TLSConn).ConnectionState()
					if state.DidResume != (i > 0) || state.NegotiatedProtocol != "test/1" {
						t.Errorf("connection %d: resumed %v, protocol %q", i, state.DidResume, state.NegotiatedProtocol)
					}
					w.Close()
					if err := w.WaitClosed(ctx); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
		})
	}
}

// opensslServer runs "openssl s_server" until the test's end and returns its address.
func opensslServer(t *testing.T, ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.Command(path, append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return asyncio.ToThread(ctx, func() (string, error) {
		if err := cmd.Start(); err != nil {
			return "", err
		}
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return "", err
			}
			if addr, ok := strings.CutPrefix(line, "ACCEPT "); ok {
				go io.Copy(io.Discard, lines)
				return strings.TrimSpace(addr), nil
			}
		}
	})
}

// curl is refused without the certificate that is asked for, and served with it, over a Unix socket and TCP.
func TestTLS_curlWithACertificate_isServed(t *testing.T) {
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed (Debian: apt-get install curl): no certificate of a real client")
	}
	onEach(t, func(t *testing.T, network string) {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			certFile, keyFile := pemFiles(t)
			_, pool := certificate()
			config := serverConfig()
			config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, pool
			addr, stop := serveStreams(t, ctx, network, func(_ context.Context, r *aionet.Reader, w *aionet.Writer) error {
				if _, err := http.ReadRequest(bufio.NewReader(r)); err != nil {
					return err
				}
				name := w.Conn().(*aionet.TLSConn).ConnectionState().PeerCertificates[0].Subject.CommonName
				_, err := fmt.Fprintf(w, "HTTP/1.0 200 OK\r\n\r\nhello %s", name)
				return err
			}, aionet.WithTLS(config))
			args := []string{"-sS", "--max-time", "10", "--cacert", certFile}
			if network == "unix" {
				args = append(args, "--unix-socket", addr, "https://localhost/")
			} else {
				_, port, _ := net.SplitHostPort(addr)
				args = append(args, "--connect-to", "::127.0.0.1:"+port, "https://localhost/")
			}
			out, err := program(ctx, "", path, append(args, "--cert", certFile, "--key", keyFile)...)
			if out != "hello test" || err != nil {
				t.Errorf("curl with a certificate: %s, %v", out, err)
			}
			if out, err := program(ctx, "", path, args...); err == nil {
				t.Errorf("curl without a certificate got %s", out)
			}
			stop()
			return nil
		}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {})) // that one is refused, and reported
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Key updates over a connection that is not ours: its Write suspends, and crypto/tls answers from within Read.
func TestTLS_keyUpdateOverSomebodyElsesConnection_stopsNobody(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		g := newGate(t, ln.Addr().String())
		client := openssl(t, ctx, g.ln.Addr().String())
		plain, err := ln.Accept()
		if err != nil {
			return err
		}
		conn, err := aionet.StartTLS(ctx, wrapped{plain}, serverConfig(), aionet.ServerSide)
		if err != nil {
			return err
		}
		defer conn.Close()
		r := aionet.NewReader(conn)
		token := <-g.open // from now on nothing reaches the client
		writer := asyncio.Go(ctx, func(context.Context) error {
			_, err := conn.Write(make([]byte, 16<<20))
			return err
		})
		for round := range 5 {
			if err := client.send(ctx, "K"); err != nil {
				return err
			}
			if err := client.expect(ctx, "KEYUPDATE"); err != nil {
				return err
			}
			say := fmt.Sprintf("with key %d", round)
			if err := client.send(ctx, say); err != nil {
				return err
			}
			line, err := r.ReadLine()
			wantBytes(t, "ReadLine", line, err, say+"\n")
		}
		if writer.Done() {
			t.Error("the Write had not to wait")
		}
		g.open <- token
		return asyncio.Timeout(ctx, 30*time.Second, func(ctx context.Context) error {
			_, err := writer.Await(ctx)
			return err
		})
	})
}
