package asyncio_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// In random programs tasks take several permits in each of the ways that there are,
// are cancelled now and then, and somebody changes the limit. There are never more out
// than the limit allowed when they were taken, nobody overtakes, and nobody waits for
// what is there.
func TestRandomPrograms_weightedSemaphores(t *testing.T) {
	for seed := range uint64(300) {
		w := &weighted{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 3)), limit: 4}
		w.s = asyncio.NewSemaphore(w.limit)
		err := asyncio.Run(context.Background(), w.main, asyncio.WithVirtualClock(), asyncio.WithWatchdog(0),
			asyncio.WithDebug(seed%2 == 0), asyncio.WithChaos(seed%3)) // 0: in the order of their coming
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if t.Failed() {
			return
		}
	}
}

// weighted is one such program.
type weighted struct {
	t          *testing.T
	seed       uint64
	rnd        *rand.Rand
	s          *asyncio.Semaphore
	limit, out int
	line       []*demand
	coming     int // of the last demand
	latest     int // of those that were served
}

// demand is a task that wants n permits.
type demand struct{ n, coming int }

func (w *weighted) fault(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
}

func (w *weighted) main(ctx context.Context) error {
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for range 6 {
			g.Go(w.work)
		}
		for range 20 {
			if err := asyncio.Sleep(ctx, w.pause()+500); err != nil {
				return err
			}
			w.atRest() // as all else happens at whole microseconds
			if err := asyncio.Sleep(ctx, 500); err != nil {
				return err
			}
			w.limit = w.rnd.IntN(7)
			w.s.SetLimit(w.limit)
		}
		w.limit = 4
		w.s.SetLimit(4)
		return nil
	})
	if st := w.s.Stats(); st.InUse != 0 || st.Limit != 4 || st.Waiting != 0 || !w.s.TryAcquireN(4) || w.s.TryAcquire() {
		w.fault("at the end: %+v", st)
	}
	return err
}

func (w *weighted) pause() time.Duration { return time.Duration(w.rnd.IntN(6)) * time.Microsecond }

// atRest looks at what must hold when nobody is ready to run.
func (w *weighted) atRest() {
	st := w.s.Stats()
	if st.InUse != w.out || st.Limit != w.limit || st.Waiting != len(w.line) {
		w.fault("%+v; want %d of %d out, %d wait", st, w.out, w.limit, len(w.line))
	}
	if len(w.line) == 0 {
		return
	}
	first := w.line[0]
	if w.seed%3 > 0 { // it may be any of them
		first = slices.MaxFunc(w.line, func(a, b *demand) int { return a.n - b.n })
	} else if first.coming < w.latest {
		w.fault("number %d waits, and %d was served", first.coming, w.latest)
	}
	if w.out+first.n <= w.limit {
		w.fault("somebody waits for %d; %d of %d are out", first.n, w.out, w.limit)
	}
}

func (w *weighted) work(ctx context.Context) error {
	for range 15 {
		n := 1 + w.rnd.IntN(4)
		if w.take(ctx, n) {
			w.out += n
			if err := asyncio.Sleep(ctx, w.pause()); err != nil {
				return err
			}
			w.giveBack(n)
		}
		if err := asyncio.Sleep(ctx, w.pause()); err != nil {
			return err
		}
	}
	return nil
}

func (w *weighted) giveBack(n int) {
	w.out -= n
	if w.rnd.IntN(2) == 0 {
		w.s.ReleaseN(n)
		return
	}
	for range n {
		w.s.Release()
	}
}

// take takes n permits in some way, and reports whether it has.
func (w *weighted) take(ctx context.Context, n int) bool {
	if w.rnd.IntN(4) == 0 {
		if free := w.limit-w.out >= n; w.s.TryAcquireN(n) {
			if !free {
				w.fault("TryAcquireN(%d) with %d of %d out", n, w.out, w.limit)
			}
			return true
		}
		return false
	}
	limit := asyncio.Forever
	if w.rnd.IntN(3) == 0 {
		limit = w.pause()
	}
	taken := false
	err := asyncio.Timeout(ctx, limit, func(ctx context.Context) error {
		w.coming++
		me := &demand{n, w.coming}
		w.line = append(w.line, me)
		var err error
		if taken, err = w.acquire(ctx, n); taken {
			w.latest = max(w.latest, me.coming)
		}
		i := slices.Index(w.line, me)
		w.line = slices.Delete(w.line, i, i+1)
		return err
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		w.fault("got %v", err)
	}
	return taken
}

func (w *weighted) acquire(ctx context.Context, n int) (taken bool, err error) {
	switch many, soon := w.s.AcquiringN(n), asyncio.Sleeping(w.pause()); w.rnd.IntN(4) {
	case 0:
		chosen, err := asyncio.Select(ctx, many, soon)
		return chosen == many, err
	case 1:
		chosen, err := asyncio.Select(ctx, many)
		return chosen == many, err
	default:
		err := w.s.AcquireN(ctx, n)
		return err == nil, err
	}
}
