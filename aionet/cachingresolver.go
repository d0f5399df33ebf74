package aionet

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A CachingResolver remembers the answers of another resolver, on the loop's clock, for a time that you choose: Go's
// resolver does not tell how long they are good for. Those who ask for a name while it is being looked up share
// that lookup. It belongs to one loop, and costs about 200 bytes a name.
//
// Nothing is remembered unless one is made: [WithResolver].
type CachingResolver struct {
	resolver         Resolver
	ttl, negativeTTL time.Duration
	size             int
	answers          map[question]*list.Element // of answer
	recent           list.List                  // the last one used first
	pending          map[question]*sharedLookup
}

type question struct{ network, host string }

type answer struct {
	question question
	ips      []netip.Addr
	err      error // there is no such name
	until    time.Duration
}

// sharedLookup is cancelled when nobody waits for it any more.
type sharedLookup struct {
	task    *asyncio.Task[*answer]
	waiting int
}

// NewCachingResolver returns a resolver that remembers up to size answers of r, those used last, for ttl each; that a
// name does not exist it remembers for negativeTTL, which may be 0. Other failures are not remembered.
//
// It panics if r is nil, ttl or size is not positive, or negativeTTL is negative.
func NewCachingResolver(r Resolver, ttl, negativeTTL time.Duration, size int) *CachingResolver {
	if r == nil || ttl <= 0 || negativeTTL < 0 || size < 1 {
		panic(fmt.Sprintf("aionet: NewCachingResolver(%T, %v, %v, %d): it needs a resolver, times and a size", r, ttl, negativeTTL, size))
	}
	return &CachingResolver{
		resolver: unblocked(r), ttl: ttl, negativeTTL: negativeTTL, size: size,
		answers: make(map[question]*list.Element), pending: make(map[question]*sharedLookup),
	}
}

// LookupNetIP returns what is remembered, or asks. It waits only then, and is ended by ctx; the lookup goes on if
// somebody else waits for it.
func (c *CachingResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: look %s up: %w", host, err)
	}
	q := question{network, strings.ToLower(host)}
	if a := c.find(q, l.Time()); a != nil {
		return slices.Clone(a.ips), a.err
	}
	s := c.pending[q]
	if s == nil {
		s = c.ask(ctx, q)
	}
	s.waiting++
	a, err := s.task.Await(ctx)
	if s.waiting--; s.waiting == 0 && !s.task.Done() {
		c.drop(q, s)
		s.task.Cancel()
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(a.ips), a.err
}

// Forget drops what is remembered of host.
func (c *CachingResolver) Forget(host string) {
	for _, network := range [...]string{"ip", "ip4", "ip6"} {
		if e := c.answers[question{network, strings.ToLower(host)}]; e != nil {
			c.remove(e)
		}
	}
}

func (c *CachingResolver) find(q question, now time.Duration) *answer {
	e := c.answers[q]
	if e == nil {
		return nil
	}
	a := e.Value.(*answer)
	if now >= a.until {
		c.remove(e)
		return nil
	}
	c.recent.MoveToFront(e)
	return a
}

// ask starts a lookup that outlives the one who asked first.
func (c *CachingResolver) ask(ctx context.Context, q question) *sharedLookup {
	s := new(sharedLookup)
	c.pending[q] = s
	s.task = asyncio.CreateTask(context.WithoutCancel(ctx), func(ctx context.Context) (*answer, error) {
		defer c.drop(q, s)
		ips, err := c.resolver.LookupNetIP(ctx, q.network, q.host)
		a := &answer{question: q, ips: ips, err: err}
		if ctx.Err() == nil {
			c.keep(a, engine.MustLoopOf("aionet", ctx).Time())
		}
		return a, nil
	}, asyncio.Name("look up "+q.host))
	return s
}

// drop ends the sharing of s, but not that of one that was started since.
func (c *CachingResolver) drop(q question, s *sharedLookup) {
	if c.pending[q] == s {
		delete(c.pending, q)
	}
}

func (c *CachingResolver) keep(a *answer, now time.Duration) {
	ttl := c.ttl
	if a.err != nil {
		missing, ok := errors.AsType[*net.DNSError](a.err)
		if !ok || !missing.IsNotFound || c.negativeTTL == 0 {
			return
		}
		ttl = c.negativeTTL
	}
	a.until = now + ttl
	c.answers[a.question] = c.recent.PushFront(a)
	if c.recent.Len() > c.size {
		c.remove(c.recent.Back())
	}
}

func (c *CachingResolver) remove(e *list.Element) {
	delete(c.answers, e.Value.(*answer).question)
	c.recent.Remove(e)
}
