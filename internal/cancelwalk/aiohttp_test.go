//go:build unix

package cancelwalk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiohttp"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/testcert"
	"github.com/go-asyncio/asyncio/lowlevel"
)

func TestAiohttp(t *testing.T) { testAll(t, httpRequests) }

var httpRequests = []walk{
	{"Transport.RoundTrip, Get", 2, requests(false, get)},
	{"Transport.RoundTrip: TLS", 2, requests(true, get)},
	{"Transport.RoundTrip: POST", 2, requests(false, post)},
	{"Transport.RoundTrip: a body that comes slowly", 2, requests(false, upload)},
	{"Transport.RoundTrip: two for one connection", 2, requests(false, func(ctx context.Context, c *http.Client, url string) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(ctx context.Context) error { return get(ctx, c, url) })
			g.Go(func(ctx context.Context) error { return get(ctx, c, url) })
			return nil
		})
	})},
}

const parts = 3

// requests serves HTTP. A request that is cancelled gives its place free at once; the client goes on.
func requests(secret bool, do func(ctx context.Context, c *http.Client, url string) error) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			for range parts { // slowly
				time.Sleep(time.Millisecond)
				io.WriteString(w, "part")
				w.(http.Flusher).Flush()
			}
		}))
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that are cancelled in a handshake
		if secret {
			server.TLS = testcert.Server()
			server.StartTLS()
		} else {
			server.Start()
		}
		s.cleanup(server.Close)
		tr := aiohttp.NewTransport()
		tr.TLSClientConfig = testcert.Client()
		tr.MaxConnsPerHost = 1
		tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := aionet.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return c, small(c)
		}
		client := &http.Client{Transport: tr}
		s.do = func(ctx context.Context) error { return do(ctx, client, server.URL) }
		s.check = func(ctx context.Context, err error) error {
			if st := tr.Stats(); err != nil && (st.Open > st.Idle || st.Waiting != 0) {
				return fmt.Errorf("%+v", st)
			}
			if err := get(ctx, client, server.URL); err != nil {
				return fmt.Errorf("another request: %w", err)
			}
			tr.CloseIdleConnections()
			return nil
		}
		return nil
	}
}

func get(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	return fetch(c, req)
}

func post(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(data(much)))
	if err != nil {
		return err
	}
	return fetch(c, req)
}

// upload sends a body that is made while it is sent. It is closed in any case.
func upload(ctx context.Context, c *http.Client, url string) error {
	body := &slowBody{loop: asyncio.RunningLoop(ctx), left: 3}
	req, err := http.NewRequestWithContext(ctx, "POST", url, body)
	if err != nil {
		return err
	}
	err = fetch(c, req)
	if !body.closed {
		err = errors.Join(err, errors.New("the body is open"))
	}
	return err
}

type slowBody struct {
	loop   *asyncio.Loop
	left   int
	closed bool
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if err := asyncio.Sleep(lowlevel.CurrentContext(b.loop), time.Millisecond); err != nil {
		return 0, err
	}
	b.left--
	return copy(p, "part of it"), nil
}

func (b *slowBody) Close() error {
	b.closed = true
	return nil
}

func fetch(c *http.Client, req *http.Request) error {
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && string(got) != "partpartpart" {
		return fmt.Errorf("got %q", got)
	}
	return err
}
