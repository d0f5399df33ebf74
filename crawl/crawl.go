package crawl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiohttp"
)

// crawler is one run of a crawl.
type crawler struct {
	cfg       Config
	rules     rules
	agent     string   // our product token
	userAgent []string // the header
	loop      *asyncio.Loop
	transport *aiohttp.Transport
	parsers   *asyncio.ThreadLimiter
	buffers   []*bytes.Buffer
	store     *store
	frontier  *frontier
	writer    writer
	summary   Summary
	queued    int64 // items in the frontier when it was written last
	began     time.Duration
}

// Run crawls. It is called in a coroutine, and returns when there is nothing
// left to fetch, when MaxPages is reached, or after Stop is set.
//
// It waits all the time. When ctx is cancelled it gives up what is in flight
// and returns the cause; the database then holds all pages that were stored
// before, and the crawl can be resumed. The same goes for an error, which is
// one of the database: pages that cannot be had are no errors.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if err := cfg.Check(); err != nil {
		return Summary{}, err
	}
	if err := asyncio.Yield(ctx); err != nil { // also: there is no loop
		return Summary{}, fmt.Errorf("crawl: %w", err)
	}
	c := &crawler{cfg: cfg, loop: asyncio.RunningLoop(ctx)}
	c.began = c.loop.Time()
	first, fetched, err := c.openStore(ctx)
	if err != nil {
		return Summary{}, err
	}
	c.prepare(first, fetched)
	err = asyncio.Group(ctx, c.run)
	if closeErr := c.finish(ctx); err == nil {
		err = closeErr
	}
	return c.summary, err
}

// openStore opens the database and settles what is to be done.
func (c *crawler) openStore(ctx context.Context) (first stored, fetched int, err error) {
	_, err = inThread(ctx, func() (asyncio.None, error) {
		var settings []byte
		if c.store, settings, err = openStore(c.cfg.Out, c.cfg.Resume, len(c.cfg.Start) > 0); err != nil {
			return asyncio.None{}, err
		}
		if first, err = c.settle(settings); err == nil {
			fetched, _, err = c.store.count()
		}
		if err != nil {
			c.store.close()
		}
		return asyncio.None{}, err
	})
	return first, fetched, err
}

func (c *crawler) settle(settings []byte) (first stored, err error) {
	if err = c.cfg.settle(settings); err != nil {
		return first, err
	}
	if c.rules, err = c.cfg.rules(); err != nil {
		return first, err
	}
	if settings, err = json.Marshal(c.cfg); err != nil {
		return first, err
	}
	var start []string
	for _, u := range c.rules.start {
		start = append(start, canonical(u))
	}
	depth := noDepth
	if c.cfg.Depth != nil {
		depth = *c.cfg.Depth
	}
	scope := scope{hosts: map[string]bool{}, allow: c.rules.allow, deny: c.rules.deny}
	err = c.store.begin(settings, start, scope, depth)
	return c.store.out, err
}

func (c *crawler) prepare(first stored, fetched int) {
	cfg := &c.cfg
	c.agent = productToken(cfg.UserAgent)
	c.userAgent = []string{cfg.UserAgent}
	c.transport = aiohttp.NewTransport()
	c.transport.MaxConns = 0
	c.transport.MaxIdleConns = cfg.Concurrency
	c.transport.MaxIdleConnsPerHost = cfg.PerHost
	c.parsers = asyncio.NewThreadLimiter(runtime.GOMAXPROCS(0))
	c.summary = Summary{Status: map[int]int{}, Errors: map[string]int{}, Parked: map[string]string{}}
	c.frontier = &frontier{
		loop: c.loop, sites: map[int64]*site{}, feed: c.writer.wake.Set, perHost: cfg.PerHost, budget: -1,
	}
	if cfg.Rate > 0 {
		c.frontier.interval = time.Duration(float64(time.Second) / cfg.Rate)
	}
	if cfg.MaxPages > 0 {
		c.frontier.budget = max(0, cfg.MaxPages-fetched)
	}
	c.frontier.stored(nil, first)
}

// run starts the crawl's tasks: the fetchers, and those that serve them.
func (c *crawler) run(ctx context.Context, g *asyncio.TaskGroup) error {
	writer := asyncio.Spawn(g, c.runWriter, asyncio.Name("writer"))
	stop := g.Go(c.awaitStop, asyncio.Name("stop"))
	progress := g.Go(c.reportProgress, asyncio.Name("progress"))
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for i := range c.cfg.Concurrency {
			g.Go(c.fetch, asyncio.Name(fmt.Sprintf("fetcher %d", i)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.writer.end()
	if _, err = writer.Await(ctx); err == nil {
		stop.Cancel()
		progress.Cancel()
	}
	return err
}

func (c *crawler) awaitStop(ctx context.Context) error {
	err := c.cfg.Stop.Wait(ctx)
	if err == nil && !c.frontier.closed {
		c.summary.Stopped = true
		c.frontier.close()
	}
	return err
}

// finish closes the database, whatever has become of ctx, and completes the
// summary.
func (c *crawler) finish(ctx context.Context) error {
	s := &c.summary
	s.Wall = c.loop.Time() - c.began
	for _, site := range c.frontier.sites {
		if site.parked != "" {
			s.Parked[site.origin] = site.parked
		}
	}
	c.transport.CloseIdleConnections()
	_, err := inThread(ctx, func() (_ asyncio.None, err error) {
		s.Queued = c.store.queued
		s.Limited = c.frontier.budget == 0 && s.Queued > 0
		s.Fetched, s.Found, err = c.store.count()
		if closeErr := c.store.close(); err == nil {
			err = closeErr
		}
		return asyncio.None{}, err
	})
	return err
}

// inThread runs fn in a thread and waits for it, even if ctx is cancelled: it
// works on the database, which nobody else may use meanwhile.
func inThread[T any](ctx context.Context, fn func() (T, error)) (T, error) {
	return asyncio.ToThread(context.WithoutCancel(ctx), fn)
}
