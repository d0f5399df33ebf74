package aiohttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/wrongctx"
)

func TestClient_requestWithoutAContext_isThatOfWhoeverRuns(t *testing.T) {
	s := newCounting(t, hello)
	onLoop(t, func(ctx context.Context) {
		client := NewClient()
		for range 2 {
			resp, err := client.Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); string(b) != "hello from /" || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			resp.Body.Close()
		}
	})
	if _, err := NewClient().Get(s.URL); !errors.Is(err, asyncio.ErrNotOnLoop) {
		t.Errorf("off the loop: %v", err)
	}
}

func TestGet_manyTimes_sharesOneClientForAsLongAsTheLoopIsThere(t *testing.T) {
	s := newCounting(t, hello)
	for range 2 {
		before := s.made.Load()
		onLoop(t, func(ctx context.Context) {
			for range 5 {
				resp, err := Get(ctx, s.URL)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				runtime.GC() // nothing but the loop holds the client
			}
		})
		if n := s.made.Load() - before; n != 1 {
			t.Errorf("5 requests took %d connections, want 1", n)
		}
	}
}

func TestGet_withAContextThatIsNotTheRunningTasks_saysWhatIsWrong(t *testing.T) {
	wrongctx.Test(t, map[string]func(ctx context.Context) error{
		"Get": func(ctx context.Context) error { _, err := Get(ctx, "http://127.0.0.1:1/"); return err },
	})
}

// closing is a connection that notes when it is closed.
type closing struct {
	net.Conn
	note func()
}

func (c *closing) Close() error { c.note(); return c.Conn.Close() }

func TestTransport_loopEnds_closesInTheOrderOfOpening(t *testing.T) {
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	var closed []int
	onLoop(t, func(ctx context.Context) {
		opened := 0
		tr := testTransport()
		tr.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := aionet.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			n := opened
			opened++
			return &closing{c, func() { closed = append(closed, n) }}, nil
		}
		for range 16 {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
			if _, err := tr.RoundTrip(req); err != nil { // its body is left open
				t.Fatal(err)
			}
		}
	})
	if len(closed) != 16 || !slices.IsSorted(closed) {
		t.Errorf("the connections were closed in the order %v", closed)
	}
}

func TestRequest_severalInvalidFields_alwaysTheSameIsReported(t *testing.T) {
	h := http.Header{}
	for i := range 16 {
		h[fmt.Sprintf("bad name %02d", i)] = []string{"x"}
		h[fmt.Sprintf("Bad-Value-%02d", i)] = []string{"\x00"}
	}
	for range 20 {
		if err := checkHeader(h); err == nil || err.Error() != "invalid value of header field Bad-Value-00" {
			t.Fatal(err)
		}
	}
}
