package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// Tasks take locks, take permits and await one another at random, until none of
// them can go on. Who waits for whom is written down beside, and the cycles in
// that are what has to be reported: each once, with its tasks in their order,
// and nothing else. A cycle of awaits alone is a deadlock, one with a lock or
// permit a likely one.
func TestCycle_randomPrograms_eachCycleIsReportedAndNoneInvented(t *testing.T) {
	found, start := 0, time.Now()
	for seed := uint64(0); seed < 3000 && time.Since(start) < 2*time.Second; seed++ {
		found += randomCycles(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if found < 20 {
		t.Errorf("%d cycles were made; the test shows nothing", found)
	}
}

// randomWaits is who waits for whom in such a program.
type randomWaits struct {
	rnd   *rand.Rand
	tasks []*asyncio.Task[asyncio.None]
	locks [3]asyncio.Lock
	gates [2]*asyncio.Semaphore // of one permit
	owner [5]int                // of the locks and gates
	waits []randomWait
}

// randomWait is what a task waits for: one of the locks and gates, or a task.
type randomWait struct{ kind, what int }

const (
	waitsNot = iota
	waitsPermit
	waitsTask
)

func randomCycles(t *testing.T, seed uint64) (found int) {
	w := &randomWaits{rnd: rand.New(rand.NewPCG(seed, 2))}
	for i := range w.gates {
		w.gates[i] = asyncio.NewSemaphore(1)
	}
	for i := range w.owner {
		w.owner[i] = -1
	}
	var reports []string
	handler := func(info asyncio.ExceptionInfo) {
		var d *asyncio.DeadlockError
		if !errors.As(info.Err, &d) {
			t.Errorf("report %+v", info)
			return
		}
		reports = append(reports, cycleText(namesIn(d.Tasks), len(d.Unless) == 0))
	}
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(func(ctx context.Context) error { return tick(ctx, time.Millisecond) })
			n := 2 + w.rnd.IntN(8)
			w.waits = make([]randomWait, n)
			for i := range n {
				w.tasks = append(w.tasks, g.Go(func(ctx context.Context) error { return w.act(ctx, i, 0) }, asyncio.Name(fmt.Sprint("t", i))))
			}
			err := asyncio.Sleep(ctx, 200*time.Millisecond)
			slices.Sort(reports)
			if want := w.cycles(); !slices.Equal(reports, want) {
				t.Errorf("reports\n%s\nwant\n%s", strings.Join(reports, "\n"), strings.Join(want, "\n"))
			}
			found = len(reports)
			reports = nil
			g.Cancel()
			return err
		})
	}, asyncio.WithExceptionHandler(handler))
	return found
}

// act lets task i do something, while it holds what it has taken so far.
func (w *randomWaits) act(ctx context.Context, i, depth int) (err error) {
	for range 2 {
		if err != nil {
			return err
		}
		switch k := w.rnd.IntN(8); {
		case k < 4 && depth < 3:
			err = w.hold(ctx, i, w.rnd.IntN(len(w.owner)), depth)
		case k == 4:
			if other := w.rnd.IntN(len(w.tasks)); other != i {
				w.waits[i] = randomWait{waitsTask, other}
				_, err = w.tasks[other].Await(ctx)
				w.waits[i] = randomWait{}
			}
		default:
			err = asyncio.Sleep(ctx, time.Duration(w.rnd.IntN(5))*time.Millisecond)
		}
	}
	return err
}

// hold lets task i act while it holds lock or gate k.
func (w *randomWaits) hold(ctx context.Context, i, k, depth int) error {
	do := func(fn func() error) error { return w.locks[k%3].Do(ctx, fn) }
	if k >= len(w.locks) {
		do = func(fn func() error) error { return w.gates[k-len(w.locks)].Do(ctx, fn) }
	}
	w.waits[i] = randomWait{waitsPermit, k}
	err := do(func() error {
		w.waits[i], w.owner[k] = randomWait{}, i
		err := w.act(ctx, i, depth+1)
		w.owner[k] = -1
		return err
	})
	w.waits[i] = randomWait{}
	return err
}

// next returns for whom task i waits, -1 for nobody.
func (w *randomWaits) next(i int) int {
	switch wait := w.waits[i]; wait.kind {
	case waitsPermit:
		return w.owner[wait.what]
	case waitsTask:
		return wait.what
	}
	return -1
}

// cycles returns the cycles as they have to be reported.
func (w *randomWaits) cycles() (all []string) {
	for i := range w.waits {
		names, certain := []string{fmt.Sprint("t", i)}, w.waits[i].kind == waitsTask
		at := w.next(i)
		for at > i && len(names) <= len(w.waits) { // each cycle from its least task on
			names = append(names, fmt.Sprint("t", at))
			certain = certain && w.waits[at].kind == waitsTask
			at = w.next(at)
		}
		if at == i {
			all = append(all, cycleText(names, certain))
		}
	}
	slices.Sort(all)
	return all
}

// namesIn returns the tasks of a report, the least name first.
func namesIn(lines []string) []string {
	var names []string
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	least := slices.Index(names, slices.Min(names))
	return append(names[least:], names[:least]...)
}

func cycleText(names []string, certain bool) string {
	kind := "likely deadlock"
	if certain {
		kind = "deadlock"
	}
	return kind + " of " + strings.Join(names, " ")
}
