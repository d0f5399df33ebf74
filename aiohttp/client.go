package aiohttp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"runtime"
	"sync"
	"weak"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
	"golang.org/x/net/publicsuffix"
)

// NewClient returns an [http.Client] for coroutines, with a Transport of its own
// as [NewTransport] makes it and a cookie jar. It follows redirects.
//
// Its first request needs the context of the running task, or a call of
// [Transport.Bind] before it: client.Get(url) alone does not say on which loop it is.
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
	return shared.client(loop).Do(req)
}

// shared has the clients of Get. A loop owns its client, as one of its closers; from
// here both are only seen, so that a loop that nobody closes can still be collected.
var shared = sharedClients{clients: map[weak.Pointer[asyncio.Loop]]weak.Pointer[sharedClient]{}}

type sharedClients struct {
	mu      sync.Mutex
	clients map[weak.Pointer[asyncio.Loop]]weak.Pointer[sharedClient]
}

func (s *sharedClients) client(loop *engine.Loop) *http.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := weak.Make(loop)
	if c := s.clients[key].Value(); c != nil {
		return &c.Client
	}
	c := &sharedClient{Client: http.Client{Transport: NewTransport()}, of: s, key: key}
	s.clients[key] = weak.Make(c)
	loop.AddCloser(c)
	runtime.AddCleanup(c, s.forget, key)
	return &c.Client
}

// forget takes note that the client of a loop is gone.
func (s *sharedClients) forget(key weak.Pointer[asyncio.Loop]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[key].Value() == nil {
		delete(s.clients, key)
	}
}

// sharedClient is the client of a loop, which forgets it at its end.
type sharedClient struct {
	http.Client
	of  *sharedClients
	key weak.Pointer[asyncio.Loop]
}

func (c *sharedClient) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	delete(c.of.clients, c.key)
	return nil
}
