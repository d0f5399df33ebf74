package aiohttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTLS_wrongPeer_isNamed(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(hello))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	secure.Config.ErrorLog = quietLog
	secure.StartTLS()
	defer secure.Close()
	preface := answering(t, "\x00\x00\x12\x04\x00\x00\x00\x00\x00\n\n")
	for _, c := range []struct{ name, url, want string }{
		{"plain HTTP", strings.Replace(plain.URL, "http", "https", 1), "the server speaks plain HTTP on this port; use http"},
		{"unknown authority", secure.URL, "certificate signed by unknown authority"},
		{"HTTP/2 without asking", preface.url(), "the server speaks HTTP/2 without being asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) {
				tr := testTransport()
				_, err := fetch(ctx, tr, c.url)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Error(err)
				}
				if c.name == "unknown authority" {
					if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
						t.Error(err)
					}
				}
				if st := tr.Stats(); st != (Stats{}) {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// A connection that crypto/tls has to itself, over a dialer that is not aionet's.
func TestTransport_dialerOfTheUsers(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(echo))
	defer server.Close()
	onLoop(t, func(ctx context.Context) {
		tr := &Transport{Dial: dialInThread, TLSClientConfig: trust(server)}
		for range 3 {
			req, _ := http.NewRequestWithContext(ctx, "POST", server.URL, io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000))))
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(b), "n=100000") {
				t.Errorf("%s, %v", b, err)
			}
			eventually(t, ctx, "the one connection is idle", func() bool { return tr.Stats() == Stats{Open: 1, Idle: 1} })
		}
	})
}

// openssl's server is TLS as others write it: it closes with an alert, and
// resumes sessions.
func TestTLS_openssl(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	addr, only2 := opensslServer(t), opensslServer(t, "-alpn", "h2")
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		for i := range 3 {
			req, _ := http.NewRequestWithContext(ctx, "GET", "https://"+addr+"/", nil)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(b), "s_server") {
				t.Errorf("%.200q, %v", b, err)
			}
			if resumed := i > 0; resp.TLS.DidResume != resumed {
				t.Errorf("request %d resumed its session: %v", i, resp.TLS.DidResume)
			}
		}
		if _, err := fetch(ctx, tr, "https://"+only2+"/"); err == nil || !strings.Contains(err.Error(), "the server does not offer HTTP/1.1") {
			t.Error(err)
		}
	})
}

// opensslServer runs openssl s_server -www, and returns its address.
func opensslServer(t *testing.T, args ...string) string {
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key"), filepath.Join(dir, "cert")
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost").CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v", out, err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	cmd := exec.Command("openssl", append([]string{"s_server", "-accept", addr, "-key", key, "-cert", cert, "-www", "-quiet"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		} else if time.Now().After(end) {
			t.Fatal("openssl s_server does not start")
		}
	}
}
