package aiohttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/go-asyncio/asyncio"
)

func TestNginx(t *testing.T) {
	base := nginx(t)
	onLoop(t, func(ctx context.Context) {
		tr := NewTransport()
		client := &http.Client{Transport: tr}
		for path, want := range map[string]int{"/small": 600, "/page.txt": 40_000, "/large": 5 << 20, "/once": 600} {
			for range 3 {
				resp := get(t, ctx, client, base+path)
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || len(b) != want || resp.StatusCode != 200 {
					t.Errorf("%s: %s, %d bytes, %v", path, resp.Status, len(b), err)
				}
				if zipped := path == "/page.txt"; resp.Uncompressed != zipped {
					t.Errorf("%s: unzipped %v", path, resp.Uncompressed)
				}
			}
		}
		req, _ := http.NewRequestWithContext(ctx, "POST", base+"/small", bytes.NewReader(make([]byte, 5<<20)))
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s for a body that is too large", resp.Status)
		}
		resp.Body.Close()

		parallel(t, ctx, 50, func(ctx context.Context) error {
			for range 20 {
				if err := request(ctx, client, base+"/small"); err != nil {
					return err
				}
			}
			return nil
		})
		if st := tr.Stats(); st.Open != st.Idle || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A program that reads bodies while it is cancelled at any moment leaves no
// connection behind that is in use.
func TestNginx_cancelledAnywhere_leaksNothing(t *testing.T) {
	base := nginx(t)
	onLoop(t, func(ctx context.Context) {
		tr := &Transport{MaxConns: 3}
		client := &http.Client{Transport: tr}
		for turns := range 60 {
			var tasks []*asyncio.Task[asyncio.None]
			for i := range 6 {
				path := []string{"/small", "/large", "/page.txt"}[i%3]
				tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
					request(ctx, client, base+path)
					return nil
				}))
			}
			yield(ctx, turns)
			for _, task := range tasks {
				task.Cancel()
				task.Await(ctx)
			}
			if err := settled(ctx, tr); err != nil {
				t.Errorf("after %d turns: %v", turns, err)
			}
		}
		if err := request(ctx, client, base+"/small"); err != nil {
			t.Error(err)
		}
	})
}
