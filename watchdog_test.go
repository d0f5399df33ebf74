package asyncio_test

import (
	"context"
	"log/slog"
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
}

func newRecords() *records { return &records{logged: make(chan struct{}, 1000)} }

func (*records) Enabled(context.Context, slog.Level) bool { return true }

func (r *records) Handle(_ context.Context, record slog.Record) error {
	fields := map[string]string{"msg": record.Message}
	record.Attrs(func(a slog.Attr) bool { fields[a.Key] = a.Value.String(); return true })
	r.mu.Lock()
	r.all = append(r.all, fields)
	r.mu.Unlock()
	if strings.Contains(fields["stack"], "holdTheLoop") {
		r.logged <- struct{}{}
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
				for at := -1; at < 0 || at+1 == len(r.list()); at = r.barked() {
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
			first, second := list[0], list[1]
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
