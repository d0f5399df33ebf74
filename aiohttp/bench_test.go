package aiohttp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// nginx starts a real server with one worker on a free port, and skips if there
// is none. files is a directory to serve; its root also has /large.
func nginx(t testing.TB) (url string) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed (apt-get install nginx-light)")
	}
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	conf := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
	access_log off; keepalive_requests 1000000; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p;
	fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s; default_type application/octet-stream;
	gzip on; gzip_types text/plain; types { text/plain txt; }
	server { listen %[2]s; root %[1]s/www; client_max_body_size 10k; location /once { keepalive_timeout 0; try_files /small =404; } }
}`, dir, addr)
	os.Mkdir(filepath.Join(dir, "www"), 0o755)
	os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o644)
	os.Chmod(dir, 0o755)
	for name, n := range map[string]int{"small": 600, "large": 5 << 20, "page.txt": 40_000} {
		body := make([]byte, n)
		for i := range body {
			body[i] = "abcdefgh\n"[i%9]
		}
		os.WriteFile(filepath.Join(dir, "www", name), body, 0o644)
	}
	cmd := exec.Command(path, "-c", filepath.Join(dir, "conf"), "-p", dir, "-e", filepath.Join(dir, "error.log"),
		"-g", "user root;")
	if os.Getuid() != 0 {
		cmd.Args = cmd.Args[:len(cmd.Args)-2]
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return "http://" + addr
		} else if time.Now().After(end) {
			t.Fatal("nginx does not start")
		}
	}
}

func request(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", resp.Status)
	}
	return err
}

// Requests over keep-alive, from n tasks or goroutines at once.
func BenchmarkGet(b *testing.B) {
	base := nginx(b)
	for _, c := range []struct {
		path string
		n    int
	}{{"/small", 1}, {"/small", 16}, {"/small", 64}, {"/page.txt", 16}} {
		b.Run(fmt.Sprintf("asyncio%s/%d", c.path, c.n), func(b *testing.B) { benchLoop(b, base+c.path, c.n) })
		b.Run(fmt.Sprintf("nethttp%s/%d", c.path, c.n), func(b *testing.B) { benchNetHTTP(b, base+c.path, c.n) })
	}
}

func benchLoop(b *testing.B, url string, n int) {
	b.ReportAllocs()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		tr := NewTransport()
		tr.DisableCompression = true
		client := &http.Client{Transport: tr}
		left := b.N
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range n {
				g.Go(func(ctx context.Context) error {
					for left > 0 {
						left--
						if err := request(ctx, client, url); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func benchNetHTTP(b *testing.B, url string, n int) {
	b.ReportAllocs()
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost, tr.DisableCompression = n, true
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	var done atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for done.Add(1) <= int64(b.N) {
				if err := request(context.Background(), client, url); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
