package aiohttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiohttp"
)

func site() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
		fmt.Fprintf(w, "this is %s", r.URL.Path)
	}))
}

func ExampleGet() {
	server := site()
	defer server.Close()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		resp, err := aiohttp.Get(ctx, server.URL+"/page")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		fmt.Println(resp.Status, string(b))
		return err
	})
	fmt.Println(err)
	// Output:
	// 200 OK this is /page
	// <nil>
}

// Many pages at once, with at most 4 requests under way to a host.
func ExampleTransport() {
	server := site()
	defer server.Close()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		tr := aiohttp.NewTransport()
		tr.MaxConnsPerHost = 4
		client := &http.Client{Transport: tr}
		fetch := func(path string) asyncio.Coroutine[string] {
			return func(ctx context.Context) (string, error) {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
				if err != nil {
					return "", err
				}
				resp, err := client.Do(req)
				if err != nil {
					return "", err
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				return string(b), err
			}
		}
		pages, err := asyncio.Gather(ctx, fetch("/a"), fetch("/b"), fetch("/c"))
		fmt.Println(strings.Join(pages, ", "))
		return err
	})
	fmt.Println(err)
	// Output:
	// this is /a, this is /b, this is /c
	// <nil>
}

func ExampleTransport_timeout() {
	server := site()
	defer server.Close()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			resp, err := aiohttp.Get(ctx, server.URL+"/slow")
			if err == nil {
				resp.Body.Close()
			}
			return err
		})
	})
	var e *aiohttp.Error
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.As(err, &e), e.Phase)
	// Output:
	// true true read response header from
}
