package crawl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// testFrontier is a frontier on a virtual clock, over a database that is a list.
type testFrontier struct {
	*frontier
	queue map[int64][]item // by origin
	ctx   context.Context
}

// onFrontier runs fn with a frontier of some origins, each with so many items.
func onFrontier(t *testing.T, perHost, budget int, counts []int, fn func(f *testFrontier)) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		f := &testFrontier{queue: map[int64][]item{}, ctx: ctx}
		f.frontier = &frontier{
			loop: asyncio.RunningLoop(ctx), sites: map[int64]*site{}, perHost: perHost, budget: budget, feed: func() {},
		}
		first := stored{grown: map[int64]string{}}
		id := int64(0)
		for i, n := range counts {
			origin := int64(i + 1)
			first.grown[origin] = fmt.Sprintf("http://h%d", origin)
			for range n {
				id++
				f.queue[origin] = append(f.queue[origin], item{id: id, url: fmt.Sprintf("http://h%d/%d", origin, id)})
			}
		}
		f.stored(nil, first)
		f.load()
		fn(f)
		for _, s := range f.sites {
			s.alarm.Stop()
		}
		return nil
	}, asyncio.WithVirtualClock(), asyncio.WithInterrupt(false))
	if err != nil {
		t.Fatal(err)
	}
}

// load gives the hungry what they want, as the writer does.
func (f *testFrontier) load() {
	out := stored{loaded: map[int64]loaded{}}
	for _, w := range f.wants() {
		var items []item
		for _, it := range f.queue[w.origin] {
			if it.id > w.after && len(items) < w.limit {
				items = append(items, it)
			}
		}
		out.loaded[w.origin] = loaded{items, w.limit}
	}
	f.stored(nil, out)
}

// done ends items well.
func (f *testFrontier) done(s *site, it item) {
	f.queue[s.id] = slices.DeleteFunc(f.queue[s.id], func(q item) bool { return q.id == it.id })
	s.finished()
	f.stored([]*result{{site: s, item: it}}, stored{})
	f.load()
}

// take takes an item that must be there at once.
func (f *testFrontier) take(t *testing.T) (*site, item) {
	t.Helper()
	s, it, err := f.nextItem(f.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.rules == nil {
		s.opened(robots{})
	}
	return s, it
}

func TestFrontier_everyItemOnce_withABoundedWindow(t *testing.T) {
	onFrontier(t, 4, -1, []int{3000}, func(f *testFrontier) {
		for i := range 3000 {
			s, it := f.take(t)
			if it.id != int64(i+1) {
				t.Fatalf("item %d came after %d others", it.id, i)
			}
			if len(s.window) > 2*windowItems || len(s.held) > 2*windowItems+1 {
				t.Fatalf("%d items in memory", len(s.window))
			}
			f.done(s, it)
		}
		if _, _, err := f.nextItem(f.ctx); !errors.Is(err, errNoMore) {
			t.Fatalf("after the last item: %v", err)
		}
	})
}

func TestFrontier_originsTakeTurns(t *testing.T) {
	onFrontier(t, 1, -1, []int{3, 3, 3}, func(f *testFrontier) {
		for round := range 3 {
			seen := map[int64]bool{}
			for range 3 {
				s, it := f.take(t)
				seen[s.id] = true
				f.done(s, it)
			}
			if len(seen) != 3 {
				t.Errorf("round %d asked %d of 3 origins", round, len(seen))
			}
		}
	})
}

func TestFrontier_interval_isKeptBetweenRequests(t *testing.T) {
	onFrontier(t, 8, -1, []int{4}, func(f *testFrontier) {
		f.interval = 3 * time.Second
		var times []time.Duration
		for range 4 {
			s, it := f.take(t)
			times = append(times, f.loop.Time())
			f.done(s, it)
		}
		for i := 1; i < 4; i++ {
			if gap := times[i] - times[i-1]; gap != f.interval {
				t.Errorf("request %d came %v after the one before, want %v", i, gap, f.interval)
			}
		}
	})
}

func TestFrontier_retry_comesWhenItsTimeHasCome_andOthersBefore(t *testing.T) {
	onFrontier(t, 1, -1, []int{3}, func(f *testFrontier) {
		began := f.loop.Time()
		s, it := f.take(t)
		it.attempt = 1
		s.retry(it, time.Minute)
		for _, want := range []int64{2, 3, 1} {
			s, it := f.take(t)
			if it.id != want {
				t.Fatalf("item %d, want %d", it.id, want)
			}
			f.done(s, it)
		}
		if waited := f.loop.Time() - began; waited != time.Minute {
			t.Errorf("the retry came after %v, want 1m", waited)
		}
	})
}

func TestFrontier_pause_holdsUpTheOrigin(t *testing.T) {
	onFrontier(t, 1, -1, []int{2, 2}, func(f *testFrontier) {
		began := f.loop.Time()
		s, it := f.take(t)
		s.pause(time.Hour)
		f.done(s, it)
		for range 2 {
			other, it := f.take(t)
			if other == s || f.loop.Time() != began {
				t.Fatal("the other origin is held up, too")
			}
			f.done(other, it)
		}
		if s2, _ := f.take(t); s2 != s || f.loop.Time()-began != time.Hour {
			t.Errorf("the origin was asked again after %v", f.loop.Time()-began)
		}
	})
}

func TestFrontier_budget_countsWhatIsBegun_andGetsBackWhatIsNot(t *testing.T) {
	onFrontier(t, 4, 2, []int{9}, func(f *testFrontier) {
		s, first := f.take(t)
		f.done(s, first)
		s, second := f.take(t)
		f.refund() // robots.txt forbids it
		f.done(s, second)
		s, third := f.take(t)
		third.attempt = 1
		s.retry(third, time.Second)
		s, again := f.take(t)
		if again.id != third.id {
			t.Fatalf("item %d was begun beyond the budget", again.id)
		}
		f.done(s, again)
		if _, _, err := f.nextItem(f.ctx); !errors.Is(err, errNoMore) {
			t.Fatalf("beyond the budget: %v", err)
		}
	})
}

func TestFrontier_parkedOrigin_isLeftAlone_andTheOthersGoOn(t *testing.T) {
	onFrontier(t, 1, -1, []int{3, 3}, func(f *testFrontier) {
		s, it := f.take(t)
		s.park("it is down")
		f.done(s, it)
		for range 3 {
			other, it := f.take(t)
			if other == s {
				t.Fatal("it was asked again")
			}
			f.done(other, it)
		}
		if _, _, err := f.nextItem(f.ctx); !errors.Is(err, errNoMore) {
			t.Fatalf("after the last item: %v", err)
		}
	})
}

func TestFrontier_itemsQueuedLate_areFoundBehindTheCursor(t *testing.T) {
	onFrontier(t, 4, -1, []int{4}, func(f *testFrontier) {
		late := f.queue[1][0]
		f.queue[1] = f.queue[1][1:]
		f.sites[1].window = f.sites[1].window[1:] // as if it had not been queued
		delete(f.sites[1].held, late.id)
		s, it := f.take(t)
		f.queue[1] = append([]item{late}, f.queue[1]...)
		f.stored(nil, stored{grown: map[int64]string{1: s.origin}, rewound: map[int64]int64{1: late.id}})
		f.done(s, it)
		var ids []int64
		for range 3 {
			s, it := f.take(t)
			ids = append(ids, it.id)
			f.done(s, it)
		}
		if !slices.Equal(ids, []int64{3, 4, 1}) {
			t.Errorf("items %v, want 3, 4, 1", ids)
		}
	})
}

func TestFrontier_close_letsFetchersEnd(t *testing.T) {
	onFrontier(t, 1, -1, []int{9}, func(f *testFrontier) {
		f.take(t)
		waiting := asyncio.Go(f.ctx, func(ctx context.Context) error {
			_, _, err := f.nextItem(ctx)
			return err
		})
		asyncio.Yield(f.ctx)
		f.close()
		if _, err := waiting.Await(f.ctx); !errors.Is(err, errNoMore) {
			t.Errorf("a waiting fetcher got %v", err)
		}
	})
}

func TestFrontier_originsFoundTogether_areAskedInTheOrderOfTheirIDs(t *testing.T) {
	counts := make([]int, 16)
	for i := range counts {
		counts[i] = 1
	}
	onFrontier(t, 1, -1, counts, func(f *testFrontier) {
		var order []int64
		for range counts {
			s, it := f.take(t)
			order = append(order, s.id)
			f.done(s, it)
		}
		if !slices.IsSorted(order) {
			t.Errorf("the origins were asked in the order %v", order)
		}
	})
}
