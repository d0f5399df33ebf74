package aiohttp

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// newProxy is an HTTP proxy that wants the credentials me:secret.
func newProxy(t *testing.T, secure bool) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != basicAuth(url.UserPassword("me", "secret")) {
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			fmt.Fprintf(w, "forwarded %s for %s", r.RequestURI, r.Host)
			return
		}
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer up.Close()
		down, rw, _ := w.(http.Hijacker).Hijack()
		defer down.Close()
		fmt.Fprintf(down, "HTTP/1.1 200 Connected by %s\r\nX-Saw: %s\r\n\r\n", "proxy", r.Header.Get("X-Hello"))
		go io.Copy(up, rw)
		io.Copy(down, up)
	}))
	s.Config.ErrorLog = quietLog
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func throughProxy(server *httptest.Server, user *url.Userinfo) func(*http.Request) (*url.URL, error) {
	u, _ := url.Parse(server.URL)
	u.User = user
	return http.ProxyURL(u)
}

func TestProxy(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(hello))
	defer secure.Close()
	me := url.UserPassword("me", "secret")
	for _, overTLS := range []bool{false, true} {
		proxy := newProxy(t, overTLS)
		for _, c := range []struct {
			name, url string
			user      *url.Userinfo
			want      string
		}{
			{"forwarding", "http://site.example/a?b", me, "forwarded http://site.example/a?b for site.example"},
			{"forwarding, unknown user", "http://site.example/", nil, "407 Proxy Authentication Required"},
			{"tunnel", secure.URL + "/x", me, "hello from /x"},
			{"tunnel, unknown user", secure.URL + "/x", nil, "the proxy answered 407 Proxy Authentication Required"},
			{"tunnel to nowhere", "https://127.0.0.1:1/", me, "the proxy answered 502 Bad Gateway"},
		} {
			t.Run(fmt.Sprintf("%s, TLS %v", c.name, overTLS), func(t *testing.T) {
				onLoop(t, func(ctx context.Context) {
					tr := testTransport()
					tr.Proxy = throughProxy(proxy, c.user)
					tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
					for range 2 {
						req, _ := http.NewRequestWithContext(ctx, "GET", c.url, nil)
						resp, err := tr.RoundTrip(req)
						got := fmt.Sprint(err)
						if err == nil {
							b, _ := io.ReadAll(resp.Body)
							got = resp.Status + " " + string(b)
							resp.Body.Close()
						}
						if !strings.Contains(got, c.want) || strings.Contains(got, "secret") {
							t.Errorf("got %s, want %s", got, c.want)
						}
					}
					if tr.Stats().Open > 1 {
						t.Errorf("%+v", tr.Stats())
					}
				})
			})
		}
	}
}

func TestProxy_forwarded_sharesConnectionsBetweenHosts(t *testing.T) {
	proxy := newProxy(t, false)
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.Proxy = throughProxy(proxy, url.UserPassword("me", "secret"))
		for _, host := range []string{"a.example", "b.example"} {
			if _, err := fetch(ctx, tr, "http://"+host); err != nil {
				t.Error(err)
			}
		}
		if st := tr.Stats(); st.Open != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestProxy_talksTooEarly_isRefused(t *testing.T) {
	p := answering(t, "HTTP/1.1 200 OK\r\n\r\nhello")
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: p.Addr().String()})
		_, err := fetch(ctx, tr, "https://site.example/")
		want := "aiohttp: tunnel through a proxy to site.example:443: http://" + p.Addr().String() +
			": the proxy sent data before the tunnel was used"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

func TestProxy_socks5(t *testing.T) {
	s := newCounting(t, hello)
	p := newPeer(t, func(nc net.Conn, _ int) {
		r := bufio.NewReader(nc)
		b := make([]byte, 300)
		io.ReadFull(r, b[:2])
		io.ReadFull(r, b[:b[1]]) // methods
		nc.Write([]byte{5, 2})
		io.ReadFull(r, b[:2])
		user := make([]byte, b[1])
		io.ReadFull(r, user)
		io.ReadFull(r, b[:1])
		pass := make([]byte, b[0])
		io.ReadFull(r, pass)
		if string(user) != "me" || string(pass) != "secret" {
			nc.Write([]byte{1, 1})
			return
		}
		nc.Write([]byte{1, 0})
		io.ReadFull(r, b[:5])
		io.ReadFull(r, b[5:5+int(b[4])+2]) // a name and the port
		up, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			return
		}
		defer up.Close()
		nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		go func() {
			io.Copy(up, r)
			up.Close()
		}()
		io.Copy(nc, up)
	})
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		u := &url.URL{Scheme: "socks5", Host: p.Addr().String(), User: url.UserPassword("me", "secret")}
		tr.Proxy = http.ProxyURL(u)
		if b, err := fetch(ctx, tr, "http://site.example/x"); err != nil || string(b) != "hello from /x" {
			t.Errorf("%q, %v", b, err)
		}
		u.User = url.UserPassword("me", "wrong")
		_, err := fetch(ctx, tr, "http://site.example/x")
		if err == nil || strings.Contains(err.Error(), "wrong") || !strings.Contains(err.Error(), "tunnel through a proxy to site.example:80") {
			t.Error(err)
		}
	})
}

func TestProxy_unknownScheme_isRefused(t *testing.T) {
	onLoop(t, func(ctx context.Context) {
		tr := testTransport()
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "gopher", Host: "127.0.0.1:1"})
		_, err := fetch(ctx, tr, "http://site.example/")
		if err == nil || !strings.Contains(err.Error(), "unsupported scheme of the proxy gopher://127.0.0.1:1") {
			t.Error(err)
		}
	})
}

// The environment is read once in a process, so the test needs one of its own.
func TestProxy_fromTheEnvironment(t *testing.T) {
	if os.Getenv("HTTP_PROXY") != "" && os.Getenv("AIOHTTP_TEST_CHILD") == "1" {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			tr := NewTransport()
			b, err := fetch(ctx, tr, "http://site.example/env")
			fmt.Printf("got %q %v\n", b, err)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	proxy := newProxy(t, false)
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "AIOHTTP_TEST_CHILD=1", "NO_PROXY=", "HTTP_PROXY="+strings.Replace(proxy.URL, "//", "//me:secret@", 1))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `got "forwarded http://site.example/env for site.example" <nil>`) {
		t.Errorf("%s %v", out, err)
	}
}
