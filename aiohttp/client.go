package aiohttp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
	"golang.org/x/net/publicsuffix"
)

// NewClient returns an [http.Client] for coroutines, with a Transport of its own
// as [NewTransport] makes it and a cookie jar. It follows redirects.
//
// Leave its Timeout at zero and use [asyncio.Timeout] around the request and
// the reading of its body: the field works, but costs a goroutine a request.
func NewClient() *http.Client {
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		panic(err) // which the standard library never returns
	}
	return &http.Client{Transport: NewTransport(), Jar: jar}
}

// Get fetches url with a client that all callers on the running loop share; it
// has no cookie jar. The caller closes the response's Body.
//
// It suspends the running coroutine, and obeys ctx, as does reading the body.
func Get(ctx context.Context, url string) (*http.Response, error) {
	loop, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aiohttp: Get: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return clientOf(loop).Do(req)
}

// sharedClient is the client of Get's callers on one loop.
type sharedClient struct{ http.Client }

func clientOf(loop *engine.Loop) *http.Client {
	return &engine.Shared(loop, func() *sharedClient {
		return &sharedClient{http.Client{Transport: NewTransport()}}
	}).Client
}
