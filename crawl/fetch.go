package crawl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-asyncio/asyncio"
)

const (
	// redirectLimit is how many redirects in a row are followed.
	redirectLimit = 10

	// patience is how long a rest an origin may ask for and be waited for. One
	// that asks for more is left for another run.
	patience = 10 * time.Minute

	// parseInThreadBytes is the size from which a page is parsed in a thread.
	// A smaller one takes less time than the way there and back.
	parseInThreadBytes = 4 << 10

	// keepBufferBytes is how large a buffer may be to be used again.
	keepBufferBytes = 512 << 10
)

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
		s.failed = 0
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
	if f != nil && f.down {
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

// answer is what came back for one request.
type answer struct {
	status      int
	header      http.Header
	contentType string
	answered    time.Duration // when the header was there
	size        int64
	hash        string        // of what was not kept
	body        *bytes.Buffer // what was kept
}

// redirect returns where an answer from address points to.
func (a answer) redirect(address string) (string, bool) {
	switch a.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return "", false
	}
	base, err := urls.Parse(address)
	if err != nil || a.header.Get("Location") == "" {
		return "", false
	}
	u, err := base.Parse(a.header.Get("Location"))
	if err != nil || !isWeb(u) {
		return "", false
	}
	return canonical(u), true
}

// isPage reports whether an answer is a page to be parsed. One that does not
// say what it is may be one.
func isPage(a answer) bool {
	return a.status/100 == 2 && (a.contentType == "" || isHTML(a.contentType))
}

// get sends one request. The body is kept if keep says so, else only measured.
// What arrived until an error is in the answer.
func (c *crawler) get(ctx context.Context, address string, limit int64, keep func(answer) bool) (a answer, err error) {
	err = asyncio.Timeout(ctx, c.cfg.Timeout, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return &failure{kind: "address", err: err}
		}
		req.Header["User-Agent"] = c.userAgent
		req.Header["Accept"] = acceptHeader
		resp, err := c.transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		a = answer{
			status:      resp.StatusCode,
			header:      resp.Header,
			contentType: resp.Header.Get("Content-Type"),
			answered:    c.loop.Time(),
		}
		if keep(a) {
			return c.readBody(resp.Body, limit, resp.ContentLength, &a)
		}
		if resp.ContentLength > limit {
			a.size = resp.ContentLength
			return tooLarge(limit)
		}
		return c.measureBody(resp.Body, limit, &a)
	})
	return a, err
}

var acceptHeader = []string{"text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"}

func (c *crawler) readBody(body io.Reader, limit, length int64, a *answer) error {
	a.body = c.buffer()
	if length > 0 {
		a.body.Grow(int(min(length, limit)) + bytes.MinRead) // or the last read, which finds the end, would
	}
	n, err := a.body.ReadFrom(io.LimitReader(body, limit+1))
	a.size = n
	c.summary.Bytes += n
	if err == nil && n > limit {
		a.body.Truncate(int(limit))
		err = tooLarge(limit)
	}
	return err
}

func (c *crawler) measureBody(body io.Reader, limit int64, a *answer) error {
	hash := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{hash}, io.LimitReader(body, limit+1), c.scratch)
	a.size = n
	c.summary.Bytes += n
	if err == nil && n > limit {
		return tooLarge(limit)
	}
	a.hash = hex.EncodeToString(hash.Sum(nil))
	return err
}

func tooLarge(limit int64) error {
	return &failure{kind: "too large", err: fmt.Errorf("more than %d bytes", limit)}
}

func isTooLarge(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.kind == "too large"
}

// understand takes links and fields from a good answer.
func (c *crawler) understand(ctx context.Context, r *result, a answer) error {
	if a.status/100 == 3 {
		target, ok := a.redirect(r.item.url)
		switch {
		case !ok:
		case r.item.hops >= redirectLimit:
			r.page.Error = fmt.Sprintf("redirects: more than %d in a row", redirectLimit)
		default:
			r.page.Location = target
			r.links = []link{{target, redirect}}
		}
	}
	if a.body == nil {
		return nil
	}
	var err error
	if a.body.Len() < parseInThreadBytes {
		c.parse(r, a)
	} else {
		_, err = asyncio.ToThreadIn(ctx, c.parsers, func() (asyncio.None, error) {
			c.parse(r, a)
			return asyncio.None{}, nil
		})
	}
	if err == nil { // else the thread still has the buffer
		c.recycle(a.body)
	}
	return err
}

// parse fills in what a page says. It uses nothing that changes, so that it may
// run in a thread.
func (c *crawler) parse(r *result, a answer) {
	body := a.body.Bytes()
	sum := sha256.Sum256(body)
	r.page.Hash = hex.EncodeToString(sum[:])
	if a.contentType == "" {
		if r.page.ContentType = http.DetectContentType(body); !isHTML(r.page.ContentType) {
			return
		}
	}
	base, err := urls.Parse(r.item.url)
	if err != nil {
		return
	}
	text := toUTF8(body, r.page.ContentType)
	d := parseHTML(text, base, c.agent)
	r.page.Title, r.links = d.title, d.links
	if headerForbidsFollowing(a.header["X-Robots-Tag"], c.agent) {
		for i := range r.links {
			r.links[i].kind = nofollow
		}
	}
	if len(c.rules.selectors) > 0 {
		if r.fields, err = selectFields(text, base, c.rules.selectors); err != nil {
			r.page.Error = "select: " + err.Error()
		}
	}
}

// buffer returns an empty buffer, a used one if there is one.
func (c *crawler) buffer() *bytes.Buffer {
	if n := len(c.buffers); n > 0 {
		b := c.buffers[n-1]
		c.buffers = c.buffers[:n-1]
		return b
	}
	return new(bytes.Buffer)
}

func (c *crawler) recycle(b *bytes.Buffer) {
	if b.Cap() <= keepBufferBytes {
		b.Reset()
		c.buffers = append(c.buffers, b)
	}
}
