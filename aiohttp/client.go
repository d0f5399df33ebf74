package aiohttp

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"sync"

	"github.com/go-asyncio/asyncio/internal/engine"
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
	loop, err := runningLoop(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return shared.client(loop).Do(req)
}

// shared has the clients of Get.
var shared sharedClients

type sharedClients struct {
	mu      sync.Mutex
	clients map[*engine.Loop]*http.Client
}

func (s *sharedClients) client(loop *engine.Loop) *http.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[loop]
	if c == nil {
		if s.clients == nil {
			s.clients = map[*engine.Loop]*http.Client{}
		}
		c = &http.Client{Transport: NewTransport()}
		s.clients[loop] = c
		loop.AddCloser(sharedClient{s, loop})
	}
	return c
}

// sharedClient forgets a loop's client at the loop's end.
type sharedClient struct {
	of   *sharedClients
	loop *engine.Loop
}

func (c sharedClient) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	delete(c.of.clients, c.loop)
	return nil
}
