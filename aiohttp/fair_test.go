package aiohttp

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/fairtest"
)

func TestCalls_thatReturnAtOnce_letOthersRun(t *testing.T) {
	s := newCounting(t, zipped)
	onLoop(t, func(ctx context.Context) {
		client := NewClient()
		request := func(method, url string) *http.Response {
			req, err := http.NewRequestWithContext(ctx, method, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, _ := client.Transport.RoundTrip(req)
			return resp
		}
		atEnd, closed := request("GET", s.URL), request("GET", s.URL)
		io.Copy(io.Discard, atEnd.Body)
		closed.Body.Close()
		p := make([]byte, 1)
		fairtest.Test(t, ctx, map[string]func(){
			"a request of a bad address":  func() { Get(ctx, "http://%zz") },
			"a request of another scheme": func() { request("GET", "gopher://127.0.0.1") },
			"a request without a host":    func() { request("GET", "http:///") },
			"a request without a URL":     func() { client.Transport.RoundTrip(&http.Request{}) },
			"Body.Read at the end":        func() { atEnd.Body.Read(p) },
			"Body.Read when closed":       func() { closed.Body.Read(p) },
		})
		atEnd.Body.Close()
	})
}

// A few bytes may become many, and each read of those needs no more from the peer.
func TestBody_compressedManyTimes_boundsWhatIsReadInATurn(t *testing.T) {
	const size = 8 << 20
	s := newCounting(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, size))
		z.Close()
	})
	onLoop(t, func(ctx context.Context) {
		resp, err := Get(ctx, s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		sinceLook, most, total := 0, 0, 0
		reading := asyncio.Go(ctx, func(context.Context) error {
			for p := make([]byte, 8<<10); ; {
				n, err := resp.Body.Read(p)
				sinceLook += n
				total += n
				if err != nil {
					return err
				}
			}
		})
		for !reading.Done() {
			asyncio.Yield(ctx)
			most = max(most, sinceLook)
			sinceLook = 0
		}
		if _, err := reading.Await(ctx); err != io.EOF || total != size {
			t.Errorf("read %d bytes, %v", total, err)
		}
		if most > 256<<10 {
			t.Errorf("%d KiB were read in one turn", most>>10)
		}
	})
}
