//go:build unix

package cancelwalk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// A walk is one function that waits.
type walk struct {
	name   string
	places int // at how many places it waits, at least: that the walk has not missed them
	set    func(ctx context.Context, s *stage) error
}

// A stage is what one run of a walk is about. The walk's set makes all of it, in a task of its own.
type stage struct {
	// do is what is cancelled.
	do func(ctx context.Context) error
	// nudge lets the world around go on a little, so that do can: a peer writes a byte. It is called before each
	// turn but the first, perhaps again, while the loop stands still, and must not block. nil: the world goes on by itself.
	nudge func()
	// check looks at what is left, and closes what do and set have opened. err is what do returned.
	check func(ctx context.Context, err error) error

	dir      string // for files
	cleanups []func()
}

// cleanup lets fn be called at the end, the last one first, when the loop stands still; it may block.
func (s *stage) cleanup(fn func()) { s.cleanups = append(s.cleanups, fn) }

// errWalk is why do is cancelled.
var errWalk = errors.New("cancelled by the walk")

// manyWalks is how often a walk is repeated that has missed a place: how many turns something takes differs from run to
// run, as the peer and threads go on by themselves, so that a short wait may fall between two of them.
const manyWalks = 20

func (w walk) test(t *testing.T) {
	places := map[string]bool{}
	turns := w.once(t, places)
	for n := 1; n < manyWalks && len(places) < w.places; n++ {
		turns = w.once(t, places)
	}
	t.Logf("%d turns, waits at %s", turns, strings.Join(slices.Sorted(maps.Keys(places)), ", "))
	if len(places) < w.places {
		t.Errorf("it was cancelled at %d places, there are %d", len(places), w.places)
	}
}

// once cancels do after each number of turns, until that is more than it takes. It notes the places and returns the number.
func (w walk) once(t *testing.T, places map[string]bool) (turns int) {
	const tooMany = 300
	for turn := range tooMany {
		all := true
		for _, late := range []bool{false, true} {
			err := leakcheck.Around(func() error {
				ended, err := w.cancelledAfter(turn, late, places)
				all = all && ended
				return err
			})
			if err != nil {
				t.Fatalf("cancelled after turn %d (late: %v): %v", turn, late, err)
			}
		}
		if all {
			return turn
		}
	}
	t.Fatalf("it did not end in %d turns", tooMany)
	return 0
}

// cancelledAfter is one run. It reports whether do had ended before it could be cancelled.
func (w walk) cancelledAfter(turn int, late bool, places map[string]bool) (ended bool, err error) {
	hung := time.AfterFunc(30*time.Second, func() {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		fmt.Fprintf(os.Stderr, "cancelwalk: %s, cancelled after turn %d (late: %v), hangs\n%s\n", w.name, turn, late, stacks)
		os.Exit(2)
	})
	defer hung.Stop()
	var reported []error
	l, err := asyncio.NewLoop(asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
		reported = append(reported, fmt.Errorf("reported: %s: %w", i.Message, i.Err))
	}))
	if err != nil {
		return false, err
	}
	before := descriptors()
	s := &stage{}
	if s.dir, err = os.MkdirTemp("", "cancelwalk"); err != nil {
		return false, err
	}
	s.cleanup(func() { os.RemoveAll(s.dir) })
	ended, err = s.run(l, w, turn, late, places)
	if left := asyncio.AllTasks(l); err == nil && len(left) > 0 {
		err = fmt.Errorf("tasks are left: %v", left)
	}
	for _, fn := range slices.Backward(s.cleanups) {
		fn()
	}
	if err == nil {
		err = openStill(before)
	}
	return ended, errors.Join(append(reported, err, l.Close())...)
}

// openStill returns an error if there are more descriptors than before. The loop would close them in the end, but not for
// as long as a program runs.
func openStill(before int) error {
	const patience = 2 * time.Second // for threads that close what nobody waits for
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		now := descriptors()
		if now <= before {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d descriptors are left open", now-before)
		}
	}
}

func descriptors() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		panic(err)
	}
	return len(entries)
}

func (s *stage) run(l *asyncio.Loop, w walk, turn int, late bool, places map[string]bool) (ended bool, err error) {
	set := asyncio.Go(l.Context(), func(ctx context.Context) error { return w.set(ctx, s) })
	if err := s.finish(l, set, false); err != nil {
		return false, fmt.Errorf("set: %w", err)
	}
	do := asyncio.Go(l.Context(), s.do, asyncio.Name("do"))
	for i := 0; i < turn && !do.Done(); {
		if s.turn(l, i > 0) {
			i++
		}
	}
	ended = do.Done()
	if !ended {
		for place := range placesOf(l) {
			places[place] = true
		}
		if late && turn > 0 && s.nudge != nil {
			s.nudge()
		}
		do.Cancel(errWalk)
	}
	err = s.finish(l, do, false)
	if err != nil && (ended || !errors.Is(err, errWalk)) {
		return false, fmt.Errorf("it ended with: %w", err)
	}
	check := asyncio.Go(l.Context(), func(ctx context.Context) error { return s.check(ctx, err) })
	if failed := s.finish(l, check, true); failed != nil {
		return false, fmt.Errorf("after it ended with %v: %w", err, failed)
	}
	for l.RunOnce() { // until nothing ever will be ready: no timers, threads, waits are left
	}
	return ended, nil
}

// finish steps the loop until t has ended, and returns its error. The world goes on if nudged says so.
func (s *stage) finish(l *asyncio.Loop, t *asyncio.Task[asyncio.None], nudged bool) error {
	for first := true; !t.Done(); first = false {
		s.turn(l, nudged && !first)
	}
	return t.Err()
}

// turn lets the loop have a turn, and reports whether anything happened. It ends soon also if nothing does: then the next
// nudge is due.
func (s *stage) turn(l *asyncio.Loop, nudged bool) (happened bool) {
	if nudged && s.nudge != nil {
		s.nudge()
	}
	happened = true
	soon := l.CallLater(20*time.Millisecond, func() { happened = false })
	l.RunOnce()
	soon.Stop()
	return happened
}

// placesOf returns where, in this library's packages, the loop's tasks are suspended, and in which call of theirs.
func placesOf(l *asyncio.Loop) map[string]bool {
	places := map[string]bool{}
	for _, t := range asyncio.AllTasks(l) {
		var inner, outer string
		for _, f := range t.Stack() {
			if _, after, ok := strings.Cut(f.Function, "/asyncio/aio"); ok {
				outer = after
				if inner == "" {
					inner = fmt.Sprintf("%s:%d", after, f.Line)
				}
			}
		}
		if inner != "" {
			places[inner+" in "+outer] = true
		}
	}
	return places
}

// data returns n bytes, no two stretches of which are alike.
func data(n int) []byte { return pattern()[:n:n] }

var pattern = sync.OnceValue(func() []byte {
	p := make([]byte, 8<<20)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
})

func testAll(t *testing.T, walks []walk) {
	for _, w := range walks {
		t.Run(w.name, w.test)
	}
}
