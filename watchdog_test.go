package asyncio_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// records is a slog.Handler that keeps what is logged, and says when holdTheLoop
// was seen.
type records struct {
	slog.Handler
	mu     sync.Mutex
	all    []map[string]string
	logged chan struct{}
	each   func(fields map[string]string) // if not nil, is told of each
}

func newRecords() *records { return &records{logged: make(chan struct{}, 1000)} }

func (*records) Enabled(context.Context, slog.Level) bool { return true }

func (r *records) Handle(_ context.Context, record slog.Record) error {
	fields := map[string]string{"msg": record.Message}
	record.Attrs(func(a slog.Attr) bool { fields[a.Key] = a.Value.String(); return true })
	r.mu.Lock()
	r.all = append(r.all, fields)
	each := r.each
	r.mu.Unlock()
	if strings.Contains(fields["stack"], "holdTheLoop") {
		r.logged <- struct{}{}
	}
	if each != nil {
		each(fields)
	}
	return nil
}

func (r *records) list() []map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// barked returns the index of the record that names holdTheLoop, -1 if there is none.
func (r *records) barked() int {
	return slices.IndexFunc(r.list(), func(f map[string]string) bool { return strings.Contains(f["stack"], "holdTheLoop") })
}

// over returns the record that says that the step of holdTheLoop is over, nil if
// there is none yet.
func (r *records) over() map[string]string {
	if at := r.barked(); at >= 0 {
		for _, f := range r.list()[at:] {
			if strings.Contains(f["msg"], "was blocked") {
				return f
			}
		}
	}
	return nil
}

// holdTheLoop blocks the loop until the watchdog has barked.
func holdTheLoop(r *records) { <-r.logged }

// conformance: debug-05
func TestWatchdog_aStepHoldsTheLoop_isLoggedMeanwhileAndAtItsEnd(t *testing.T) {
	for name, hold := range map[string]func(ctx context.Context, r *records){
		"slow": func(ctx context.Context, r *records) {
			asyncio.Go(ctx, func(ctx context.Context) error {
				asyncio.Yield(ctx)
				holdTheLoop(r)
				return nil
			}, asyncio.Name("slow"))
		},
		"fresh": func(ctx context.Context, r *records) {
			asyncio.Go(ctx, func(context.Context) error { holdTheLoop(r); return nil }, asyncio.Name("fresh"))
		},
		"main":       func(ctx context.Context, r *records) { holdTheLoop(r); asyncio.Yield(ctx) },
		"a callback": func(ctx context.Context, r *records) { asyncio.RunningLoop(ctx).CallSoon(func() { holdTheLoop(r) }) },
		"a timer's": func(ctx context.Context, r *records) {
			asyncio.RunningLoop(ctx).CallLater(time.Millisecond, func() { holdTheLoop(r) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecords()
			err := asyncio.Run(context.Background(), func(ctx context.Context) error {
				for range 3 { // some that are suspended, and must not be named
					asyncio.Go(ctx, sleepFor(time.Hour))
				}
				asyncio.Yield(ctx)
				hold(ctx, r)
				asyncio.Sleep(ctx, 2*time.Millisecond)
				for r.over() == nil {
					asyncio.Sleep(ctx, time.Millisecond)
				}
				return nil
			}, asyncio.WithWatchdog(20*time.Millisecond), asyncio.WithLogger(slog.New(r)))
			wantErr(t, "Run", err, nil)
			list := r.list()[r.barked():]
			task := map[string]string{"a timer's": "a callback"}[name]
			if task == "" {
				task = name
			}
			first, second := list[0], r.over()
			if !strings.Contains(first["msg"], "is blocked") || first["task"] != task || !strings.Contains(first["stack"], "holdTheLoop") {
				t.Errorf("first: %v", first)
			}
			if strings.Contains(first["stack"], "sleepFor") || strings.Contains(first["stack"], ".perform(") {
				t.Errorf("the stack shows more than the step: %s", first["stack"])
			}
			d, err := time.ParseDuration(second["for"])
			if !strings.Contains(second["msg"], "was blocked") || second["task"] != task || err != nil || d < 20*time.Millisecond {
				t.Errorf("second: %v", second)
			}
		})
	}
}

func TestWatchdog_theLastStepHoldsTheLoop_itsEndIsLoggedToo(t *testing.T) {
	r := newRecords()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		holdTheLoop(r)
		return nil
	}, asyncio.WithWatchdog(20*time.Millisecond), asyncio.WithLogger(slog.New(r)))
	wantErr(t, "Run", err, nil)
	if last := r.list()[len(r.list())-1]; !strings.Contains(last["msg"], "was blocked") {
		t.Errorf("last: %v", last)
	}
}

func TestWatchdog_aLoopThatIsIdleOrBusyInShortSteps_isNotLogged(t *testing.T) {
	r := newRecords()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for start := time.Now(); time.Since(start) < 1300*time.Millisecond; {
			asyncio.Yield(ctx)
		}
		return asyncio.Sleep(ctx, 1300*time.Millisecond)
	}, asyncio.WithWatchdog(time.Second), asyncio.WithLogger(slog.New(r)))
	if err != nil || len(r.list()) != 0 {
		t.Errorf("got %v, logged %v", err, r.list())
	}
}

func TestWatchdog_switchedOff_saysNothing(t *testing.T) {
	r := newRecords()
	err := asyncio.Run(context.Background(), func(context.Context) error {
		time.Sleep(150 * time.Millisecond)
		return nil
	}, asyncio.WithWatchdog(0), asyncio.WithLogger(slog.New(r)))
	if err != nil || len(r.list()) != 0 {
		t.Errorf("got %v, logged %v", err, r.list())
	}
}

// waitFor returns a channel for the first record from now on that wanted accepts.
func (r *records) waitFor(wanted func(map[string]string) bool) <-chan map[string]string {
	stop := make(chan map[string]string, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.each = func(fields map[string]string) {
		if wanted(fields) {
			select {
			case stop <- fields:
			default:
			}
		}
	}
	return stop
}

func isBlocked(fields map[string]string) bool { return strings.Contains(fields["msg"], "is blocked") }

// Each kind of block has a name and an advice of its own, and the report names
// the user's line and none of the library's or the runtime's.
func TestWatchdog_whatBlocks_isToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		doing, advice string
		hold          func(until <-chan map[string]string) map[string]string
	}{
		"a mutex": {"waits for a mutex", "asyncio.Lock", func(until <-chan map[string]string) (got map[string]string) {
			var mu sync.Mutex
			mu.Lock()
			go func() { got = <-until; mu.Unlock() }()
			mu.Lock()
			return got
		}},
		"a channel": {"waits for a channel", "asyncio.Recv", func(until <-chan map[string]string) map[string]string {
			return <-until
		}},
		"a select": {"waits for a channel", "asyncio.Recv", func(until <-chan map[string]string) map[string]string {
			select {
			case got := <-until:
				return got
			case <-make(chan int):
				return nil
			}
		}},
		"a wait group": {"waits for a sync.WaitGroup", "asyncio.Group", func(until <-chan map[string]string) (got map[string]string) {
			var wg sync.WaitGroup
			wg.Go(func() { got = <-until })
			wg.Wait()
			return got
		}},
		"a computation": {"computes", "asyncio.ToThread", func(until <-chan map[string]string) map[string]string {
			for len(until) == 0 {
			}
			return <-until
		}},
		"time.Sleep": {"sleeps in time.Sleep", "asyncio.Sleep", func(until <-chan map[string]string) map[string]string {
			for {
				time.Sleep(100 * time.Millisecond)
				select {
				case got := <-until:
					return got
				default:
				}
			}
		}},
		"a pipe": {"waits for the network or a pipe", "aiofile", func(until <-chan map[string]string) map[string]string {
			r, w, _ := os.Pipe()
			defer r.Close()
			got := make(chan map[string]string, 1)
			go func() { got <- <-until; w.Close() }()
			r.Read(make([]byte, 1))
			return <-got
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecords()
			err := asyncio.Run(context.Background(), func(ctx context.Context) error {
				got := c.hold(r.waitFor(func(f map[string]string) bool { return isBlocked(f) && f["doing"] == c.doing }))
				if !strings.Contains(got["msg"], c.advice) || !strings.Contains(got["at"], "watchdog_test.go:") {
					t.Errorf("logged: %v", got)
				}
				for _, other := range []string{"runtime.", "internal/engine", "iter.Pull", "asyncio.(*plainTask)"} {
					if strings.Contains(got["stack"], other) {
						t.Errorf("the stack has %s:\n%s", other, got["stack"])
					}
				}
				return nil
			}, asyncio.WithWatchdog(30*time.Millisecond), asyncio.WithLogger(slog.New(r)))
			wantErr(t, "Run", err, nil)
		})
	}
}

func TestWatchdog_aBlockThatLasts_isReportedAgain(t *testing.T) {
	r := newRecords()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		<-r.waitFor(func(f map[string]string) bool { return strings.Contains(f["msg"], "still blocked") })
		return nil
	}, asyncio.WithWatchdog(20*time.Millisecond), asyncio.WithLogger(slog.New(r)))
	wantErr(t, "Run", err, nil)
}

//go:noinline
func blockHere(until <-chan map[string]string) { <-until }

//go:noinline
func blockThere(until <-chan map[string]string) { <-until }

// Loops that are blocked at the same time are each reported with their own line,
// also where all of them have one processor.
func TestWatchdog_severalLoopsAreBlocked_eachIsNamedByItsOwnLine(t *testing.T) {
	for _, procs := range []int{runtime.GOMAXPROCS(0), 1} {
		t.Run(fmt.Sprintf("on %d processors", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			blocks := map[string]func(<-chan map[string]string){"blockHere": blockHere, "blockThere": blockThere}
			var all, said sync.WaitGroup
			said.Add(len(blocks))
			for name, block := range blocks {
				all.Go(func() {
					r := newRecords()
					var once sync.Once
					until := r.waitFor(isBlocked)
					err := asyncio.Run(context.Background(), func(ctx context.Context) error {
						asyncio.Go(ctx, sleepFor(time.Hour))
						asyncio.Yield(ctx)
						both := make(chan map[string]string)
						go func() {
							got := <-until
							if !strings.Contains(got["at"], name) || strings.Contains(got["stack"], "block") == strings.Contains(strings.ReplaceAll(got["stack"], name, ""), "block") {
								t.Errorf("%s is reported with %v", name, got)
							}
							once.Do(said.Done)
							said.Wait()
							close(both)
						}()
						block(both)
						return nil
					}, asyncio.WithWatchdog(30*time.Millisecond), asyncio.WithLogger(slog.New(r)))
					wantErr(t, "Run", err, nil)
				})
			}
			all.Wait()
		})
	}
}

// The line is found among many suspended tasks, and below many calls.
func TestWatchdog_manyTasksAndADeepStack_theLineIsNamed(t *testing.T) {
	for _, c := range []struct{ tasks, deep int }{{10_000, 0}, {10, 60}} {
		r := newRecords()
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			for range c.tasks {
				asyncio.Go(ctx, sleepFor(time.Hour))
			}
			asyncio.Yield(ctx)
			asyncio.Yield(ctx)
			got := descend(c.deep, r.waitFor(func(f map[string]string) bool { return isBlocked(f) && f["doing"] == "waits for a channel" }))
			if !strings.Contains(got["at"], "(asyncio_test.descend)") {
				t.Errorf("%v: logged %v", c, got)
			}
			return nil
		}, asyncio.WithWatchdog(30*time.Millisecond), asyncio.WithLogger(slog.New(r)))
		wantErr(t, "Run", err, nil)
	}
}

//go:noinline
func descend(deep int, until <-chan map[string]string) map[string]string {
	if deep > 0 {
		return descend(deep-1, until)
	}
	return <-until
}

// A loop may also be held by many steps of which none is long.
func TestWatchdog_manyShortBlocks_areNamedWithTheirLine(t *testing.T) {
	r := newRecords()
	said := r.waitFor(func(f map[string]string) bool { return strings.Contains(f["msg"], "many short steps") })
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for {
			select {
			case got := <-said:
				for _, want := range []string{"watchdog_test.go:", "asyncio_test.blockShortly", "sleeps in time.Sleep", " looks"} {
					if !strings.Contains(got["lines"], want) {
						t.Errorf("no %q in %v", want, got)
					}
				}
				if !strings.Contains(got["msg"], "asyncio.Sleep") {
					t.Errorf("no advice in %v", got)
				}
				return nil
			default:
				blockShortly()
				asyncio.Yield(ctx)
			}
		}
	}, asyncio.WithLogger(slog.New(r)))
	wantErr(t, "Run", err, nil)
	for _, f := range r.list() {
		if isBlocked(f) {
			t.Logf("a short block was a long one on this machine: %v", f)
		}
	}
}

func blockShortly() { time.Sleep(8 * time.Millisecond) }

// What is short and far between holds nobody up.
func TestWatchdog_fewShortBlocks_areNotLogged(t *testing.T) {
	r := newRecords()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for start := time.Now(); time.Since(start) < 1500*time.Millisecond; {
			time.Sleep(2 * time.Millisecond)
			asyncio.Sleep(ctx, 20*time.Millisecond)
		}
		return nil
	}, asyncio.WithWatchdog(time.Second), asyncio.WithLogger(slog.New(r)))
	if err != nil || len(r.list()) != 0 {
		t.Errorf("got %v, logged %v", err, r.list())
	}
}

// A loop that has slept so long that the watchdog sleeps, too, is watched again
// when it wakes up.
func TestWatchdog_afterALongSleep_watchesAgain(t *testing.T) {
	r := newRecords()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		for range 2 {
			asyncio.Sleep(ctx, 1200*time.Millisecond)
			<-r.waitFor(isBlocked)
		}
		return nil
	}, asyncio.WithWatchdog(20*time.Millisecond), asyncio.WithLogger(slog.New(r)))
	wantErr(t, "Run", err, nil)
}
