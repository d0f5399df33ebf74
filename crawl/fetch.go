package crawl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

// patience is how long a rest an origin may ask for and be waited for. One that
// asks for more is left for another run.
const patience = 10 * time.Minute

// fetch is one of the crawl's fetchers: it fetches until nothing is left.
func (c *crawler) fetch(ctx context.Context) error {
	for {
		s, it, err := c.frontier.nextItem(ctx)
		if errors.Is(err, errNoMore) {
			return nil
		}
		if err == nil {
			err = c.process(ctx, s, it)
		}
		if err != nil {
			return err
		}
	}
}

// process takes an item to one of its ends: on the way to the database, to be
// tried again, or left for another run.
func (c *crawler) process(ctx context.Context, s *site, it item) error {
	if it.attempt++; it.attempt == 1 {
		it.started = c.loop.Now()
	}
	a, f := c.try(ctx, s, &it)
	if cause := context.Cause(ctx); cause != nil {
		s.giveBack()
		return cause
	}
	now := c.loop.Time()
	it.spent += now - it.began
	c.summary.Requests += now - it.began
	switch {
	case f == nil:
		s.answered(it.began, a.answered)
	case !it.denied:
		if f.down {
			s.trouble(it.began, now)
		}
		if c.putBack(s, it, f) {
			return nil
		}
	}
	s.finished()
	return c.conclude(ctx, s, it, a, f)
}

// try asks for an item's page, and first for the robots.txt of its origin.
func (c *crawler) try(ctx context.Context, s *site, it *item) (answer, *failure) {
	it.began = c.loop.Time()
	if s.rules == nil {
		rules, f := c.robots(ctx, s.origin)
		if f != nil {
			return answer{}, f
		}
		s.opened(rules)
		it.began = c.loop.Time()
		it.denied = !rules.allows(it.url)
	}
	if it.denied {
		s.frontier.refund()
		return answer{}, &failure{kind: kindRobots, err: errors.New("robots.txt does not allow it")}
	}
	a, err := c.get(ctx, it.url, c.cfg.LimitBytes, isPage)
	if err != nil {
		return a, diagnose(err)
	}
	return a, badStatus(a, c.loop.Now())
}

// putBack keeps a failed item in the frontier, where there is hope for it: for
// another try, or for another run.
func (c *crawler) putBack(s *site, it item, f *failure) bool {
	wait := backOff(it.attempt, it.id)
	if f.pause > 0 {
		wait = f.pause
	}
	if f.pause > 0 || f.down && f.kind == "" {
		s.pause(wait)
	}
	switch {
	case wait > patience:
		c.park(s, fmt.Sprintf("it asks for a rest of %v", wait.Round(time.Second)))
		s.giveBack()
	case !f.again:
		return false
	case c.frontier.closed:
		s.giveBack()
	case it.attempt > *c.cfg.Retries:
		return false
	default:
		c.summary.Retries++
		s.retry(it, wait)
	}
	return true
}

// conclude hands what became of an item to the writer. An origin that seems to
// be down is left alone after some pages, so that what is queued for it is not
// lost to errors.
func (c *crawler) conclude(ctx context.Context, s *site, it item, a answer, f *failure) error {
	r := &result{site: s, item: it, page: Page{
		URL: it.url, Depth: it.depth, Referrer: it.referrer, Time: it.started, Duration: it.spent,
		Status: a.status, ContentType: a.contentType, Size: a.size, Hash: a.hash,
	}}
	switch {
	case f == nil:
		if err := c.understand(ctx, r, a); err != nil {
			return err
		}
	case f.kind != "":
		r.page.Error = f.Error()
	}
	switch {
	case it.denied:
	case f == nil || !f.down:
		s.failed = 0
	default:
		if s.failed++; s.failed >= parkAfter || s.rules == nil {
			c.park(s, f.Error())
		}
	}
	return c.write(ctx, r)
}

func (c *crawler) park(s *site, why string) {
	if s.parked == "" {
		c.cfg.Log.Warn("left alone for the rest of this run", "origin", s.origin, "because", why)
		s.park(why)
	}
}

// robots fetches an origin's robots.txt, by the rules of RFC 9309, section
// 2.3.1: a missing one allows everything, and where it is unknown whether there
// is one nothing is allowed.
func (c *crawler) robots(ctx context.Context, origin string) (robots, *failure) {
	address := origin + "/robots.txt"
	for range redirectLimit {
		a, err := c.get(ctx, address, robotsLimitBytes, func(answer) bool { return true })
		if err != nil && !isTooLarge(err) {
			return robots{}, diagnose(err)
		}
		if f := badStatus(a, c.loop.Now()); f != nil {
			f.kind, f.down = kindRobots, true
			f.err = fmt.Errorf("%s is not to be had: %w", address, f.err)
			return robots{}, f
		}
		target, isRedirect := a.redirect(address)
		if isRedirect {
			address = target
			continue
		}
		if a.status >= 300 {
			return robots{}, nil
		}
		rules, err := asyncio.ToThread(ctx, func() (robots, error) {
			return parseRobots(a.body.Bytes(), c.agent), nil
		})
		if err != nil {
			return robots{}, diagnose(err)
		}
		return rules, nil
	}
	return robots{}, nil
}
