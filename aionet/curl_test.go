package aionet_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// The handler returns right after its Write, while much is still queued: a real client gets all of it, and then a
// proper end of TLS.
func TestTLS_handlerReturnsAfterALongWrite_curlGetsEverything(t *testing.T) {
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed (Debian: apt-get install curl): no download by a real client")
	}
	const size = 8 << 20
	run(t, func(ctx context.Context) error {
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
		if err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.Serve(ctx, ln, func(_ context.Context, c net.Conn) error {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return err
				}
				fmt.Fprint(c, "HTTP/1.0 200 OK\r\n\r\n") // without a length only the end of TLS tells that it is whole
				_, err := c.Write(make([]byte, size))
				return err
			})
		})
		out, err := asyncio.ToThread(ctx, func() ([]byte, error) {
			return exec.Command(path, "-sSk", "-o", "/dev/null", "-w", "%{size_download}", "--limit-rate", "64M",
				"https://"+ln.Addr().String()+"/").CombinedOutput()
		})
		if string(out) != fmt.Sprint(size) {
			t.Errorf("curl: %s, %v", out, err)
		}
		server.Cancel()
		_, _ = server.Await(ctx)
		return nil
	})
}
