package aionet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// slowResolver takes a second for each answer, and counts its questions.
type slowResolver struct {
	asked, cancelled int
	err              error
}

func (r *slowResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	r.asked++
	if err := asyncio.Sleep(ctx, time.Second); err != nil {
		r.cancelled++
		return nil, errors.New("stopped asking")
	}
	return slices.Clone(localhost), r.err
}

// caching runs a test of a cache that holds two answers for a minute, or for 10 s if they are negative.
func caching(t *testing.T, test func(ctx context.Context, r *slowResolver, c *aionet.CachingResolver, ask func(host string) error)) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		r := new(slowResolver)
		c := aionet.NewCachingResolver(r, time.Minute, 10*time.Second, 2)
		test(ctx, r, c, func(host string) error {
			_, err := aionet.LookupNetIP(ctx, "ip", host, aionet.WithResolver(c))
			return err
		})
		return nil
	}, asyncio.WithVirtualClock(), asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { t.Errorf("reported: %+v", i) }))
	if err != nil {
		t.Fatal(err)
	}
}

func wantAsked(t *testing.T, r *slowResolver, want int, when string) {
	t.Helper()
	if r.asked != want {
		t.Errorf("%s: asked %d times, want %d", when, r.asked, want)
	}
}

func TestCachingResolver_remembersForItsTime(t *testing.T) {
	caching(t, func(ctx context.Context, r *slowResolver, c *aionet.CachingResolver, ask func(string) error) {
		ips, err := c.LookupNetIP(ctx, "ip", "a.test")
		if err != nil || !slices.Equal(ips, localhost) {
			t.Errorf("%v, %v", ips, err)
		}
		ips[0] = netip.Addr{} // the caller's own
		ips, _ = c.LookupNetIP(ctx, "ip", "A.TEST")
		wantAsked(t, r, 1, "the same name")
		if !slices.Equal(ips, localhost) {
			t.Errorf("the answer has become %v", ips)
		}
		_, _ = c.LookupNetIP(ctx, "ip6", "a.test")
		wantAsked(t, r, 2, "another network")
		_ = asyncio.Sleep(ctx, 58*time.Second)
		_ = ask("a.test")
		wantAsked(t, r, 2, "after 59 s")
		_ = asyncio.Sleep(ctx, time.Second)
		_ = ask("a.test")
		wantAsked(t, r, 3, "after a minute")
		c.Forget("a.test")
		_ = ask("a.test")
		wantAsked(t, r, 4, "after Forget")
	})
}

func TestCachingResolver_full_dropsTheOneUsedLeast(t *testing.T) {
	caching(t, func(_ context.Context, r *slowResolver, _ *aionet.CachingResolver, ask func(string) error) {
		for _, host := range []string{"a.test", "b.test", "a.test", "c.test", "a.test"} {
			_ = ask(host)
		}
		wantAsked(t, r, 3, "a, b, c")
		_ = ask("b.test")
		wantAsked(t, r, 4, "b, which had to go")
	})
}

func TestCachingResolver_failures_areRememberedIfThereIsNoSuchName(t *testing.T) {
	caching(t, func(ctx context.Context, r *slowResolver, _ *aionet.CachingResolver, ask func(string) error) {
		r.err = &net.DNSError{Err: "no such host", Name: "a.test", IsNotFound: true}
		for range 2 {
			if err := ask("a.test"); !errors.Is(err, r.err) {
				t.Errorf("no such name: %v", err)
			}
		}
		wantAsked(t, r, 1, "no such name")
		_ = asyncio.Sleep(ctx, 10*time.Second)
		_ = ask("a.test")
		wantAsked(t, r, 2, "after 10 s")
		r.err = &net.DNSError{Err: "server misbehaving", Name: "b.test", IsTemporary: true}
		_, _ = ask("b.test"), ask("b.test")
		wantAsked(t, r, 4, "a failure that may pass")
	})
}

func TestCachingResolver_thoseWhoAskAtOnce_shareOneLookup(t *testing.T) {
	caching(t, func(ctx context.Context, r *slowResolver, c *aionet.CachingResolver, _ func(string) error) {
		var tasks []*asyncio.Task[[]netip.Addr]
		for range 10 {
			tasks = append(tasks, asyncio.CreateTask(ctx, func(ctx context.Context) ([]netip.Addr, error) {
				return c.LookupNetIP(ctx, "ip", "a.test")
			}))
		}
		_ = asyncio.Sleep(ctx, time.Millisecond)
		tasks[0].Cancel() // who asked first
		for _, task := range tasks[1:] {
			if ips, err := task.Await(ctx); err != nil || !slices.Equal(ips, localhost) {
				t.Errorf("%v, %v", ips, err)
			}
		}
		wantAsked(t, r, 1, "at once")
		if _, err := tasks[0].Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
	})
}

func TestCachingResolver_allWhoAskedHaveLeft_endsTheLookup(t *testing.T) {
	caching(t, func(ctx context.Context, r *slowResolver, c *aionet.CachingResolver, ask func(string) error) {
		task := asyncio.CreateTask(ctx, func(ctx context.Context) ([]netip.Addr, error) { return c.LookupNetIP(ctx, "ip", "a.test") })
		_ = asyncio.Sleep(ctx, time.Millisecond)
		task.Cancel()
		_ = asyncio.Yield(ctx)
		if err := ask("a.test"); err != nil { // while the old one is ending
			t.Error(err)
		}
		if r.cancelled != 1 || r.asked != 2 {
			t.Errorf("asked %d times, %d of them cancelled", r.asked, r.cancelled)
		}
	})
}
