package asyncio_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// in returns the option for a loop in the system's environment, with what change replaces.
func in(change func(e *env.Env)) asyncio.Option {
	e := env.Real()
	change(e)
	return engine.WithEnv(e).(asyncio.Option)
}

func TestNow_isTheLoopsInItsTasksAndThreadsAndTheSystemsElsewhere(t *testing.T) {
	run(t, func(ctx context.Context) error {
		start := asyncio.Now(ctx)
		if !start.Equal(asyncio.RunningLoop(ctx).Now()) {
			t.Errorf("Now is %v, and the loop's is %v", start, asyncio.RunningLoop(ctx).Now())
		}
		if err := asyncio.Sleep(ctx, 24*time.Hour); err != nil {
			return err
		}
		in, err := asyncio.ToThread(ctx, func() (time.Time, error) { return asyncio.Now(ctx), nil })
		if want := start.Add(24 * time.Hour); !asyncio.Now(ctx).Equal(want) || !in.Equal(want) {
			t.Errorf("a day after %v it is %v, and in a thread %v", start, asyncio.Now(ctx), in)
		}
		return err
	}, asyncio.WithVirtualClock())
	before := time.Now()
	if now := asyncio.Now(context.Background()); now.Before(before) || now.After(time.Now()) {
		t.Errorf("without a loop it is %v, after %v", now, before)
	}
}

// draws returns what a run gets from its loop's source.
func draws(t *testing.T, opts ...asyncio.Option) (numbers [8]uint64) {
	t.Helper()
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		for i := range numbers {
			numbers[i] = asyncio.Rand(ctx).Uint64()
		}
		return nil
	}, opts...)
	if err != nil {
		t.Error(err)
	}
	return numbers
}

func TestRand_onAVirtualClock_givesTheSameNumbersInEachRun(t *testing.T) {
	t.Setenv("ASYNCIO_SEED", "")
	first := draws(t, asyncio.WithVirtualClock())
	if second := draws(t, asyncio.WithVirtualClock()); first != second {
		t.Errorf("first %v, then %v", first, second)
	}
	if first == draws(t) {
		t.Error("on a real clock the numbers are the same")
	}
	t.Setenv("ASYNCIO_SEED", "0x2a")
	other := draws(t, asyncio.WithVirtualClock())
	if first == other {
		t.Error("another seed makes no difference")
	}
	t.Setenv("ASYNCIO_SEED", "42")
	if same := draws(t, asyncio.WithVirtualClock()); same != other {
		t.Errorf("the seed 42 gives %v, and as 0x2a %v", same, other)
	}
}

func TestRand_seedThatIsNoNumber_keepsRunFromStarting(t *testing.T) {
	t.Setenv("ASYNCIO_SEED", "lucky")
	main := func(ctx context.Context) error { return errors.New("it runs") }
	if err := asyncio.Run(t.Context(), main, asyncio.WithVirtualClock()); err == nil || !strings.Contains(err.Error(), `ASYNCIO_SEED is "lucky"`) {
		t.Errorf("the error is %v", err)
	}
	if err := asyncio.Run(t.Context(), main); err == nil || err.Error() != "it runs" {
		t.Errorf("on a real clock, which has no seed, the error is %v", err)
	}
}

func TestRand_offTheLoop_panics(t *testing.T) {
	mustPanic(t, "Rand", func() { asyncio.Rand(context.Background()) })
	run(t, func(ctx context.Context) error {
		_, err := asyncio.ToThread(ctx, func() (*rand.Rand, error) { return asyncio.Rand(ctx), nil })
		if _, ok := errors.AsType[*asyncio.PanicError](err); !ok {
			t.Errorf("in a thread: %v", err)
		}
		return nil
	})
}

func TestEnvironment_clockIsSharedByItsLoops(t *testing.T) {
	epoch := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	clock := env.NewClock(epoch)
	of := in(func(e *env.Env) { e.Clock, e.Rand = clock, env.Seeded(7) })
	for i := range 2 {
		run(t, func(ctx context.Context) error {
			err := asyncio.Sleep(ctx, time.Hour)
			if want := epoch.Add(time.Duration(i+1) * time.Hour); !asyncio.Now(ctx).Equal(want) {
				t.Errorf("in loop %d it is %v, want %v", i, asyncio.Now(ctx), want)
			}
			if got, want := asyncio.Rand(ctx).Uint64(), rand.New(rand.NewPCG(7, 0)).Uint64(); got != want {
				t.Errorf("in loop %d the first number is %d, want %d", i, got, want)
			}
			return err
		}, of)
	}
	if clock.Now() != 2*time.Hour {
		t.Errorf("the clock shows %v", clock.Now())
	}
}

func TestEnvironment_startsTheGoroutines(t *testing.T) {
	started := map[env.Goroutine]int{}
	of := in(func(e *env.Env) {
		e.Go = func(kind env.Goroutine, fn func()) {
			started[kind]++
			go fn()
		}
	})
	err := asyncio.RunLoops(t.Context(), 1, func(ctx context.Context, _ int) error {
		if _, err := asyncio.ToThread(ctx, func() (int, error) { return 1, nil }); err != nil {
			return err
		}
		ch := make(chan int)
		sent := asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Send(ctx, ch, 7) })
		_, _, err := asyncio.Recv(ctx, ch)
		return errors.Join(err, second(sent.Await(ctx)))
	}, of)
	if err != nil {
		t.Error(err)
	}
	if started[env.Runner] != 1 || started[env.Thread] != 1 || started[env.Waiter] == 0 {
		t.Errorf("it started %v; want one runner, one thread, and who waits for the channel", started)
	}
}

func second[T any](_ T, err error) error { return err }

// bells are signals that a test sends itself.
type bells struct {
	told    map[os.Signal][]func()
	ignored bool // since before the program's start
}

func (b *bells) in() asyncio.Option {
	b.told = map[os.Signal][]func(){}
	return in(func(e *env.Env) {
		e.Signals.Ignored = func(os.Signal) bool { return b.ignored }
		e.Signals.Notify = func(sig os.Signal, fn func()) (stop func()) {
			at := len(b.told[sig])
			b.told[sig] = append(b.told[sig], fn)
			return func() { b.told[sig][at] = nil }
		}
	})
}

// ring sends the signal, and returns how many heard it.
func (b *bells) ring(sig os.Signal) (heard int) {
	for _, fn := range b.told[sig] {
		if fn != nil {
			fn()
			heard++
		}
	}
	return heard
}

func TestEnvironment_sendsSignals(t *testing.T) {
	var b bells
	run(t, func(ctx context.Context) error {
		ringing := asyncio.Go(ctx, func(ctx context.Context) error {
			letWait(t, ctx)
			if b.ring(syscall.SIGTERM) != 1 {
				t.Error("nobody hears the signal for which a task waits")
			}
			return nil
		})
		for sig, err := range asyncio.Signals(ctx, syscall.SIGTERM) {
			if sig != syscall.SIGTERM || err != nil {
				t.Errorf("%v came, %v", sig, err)
			}
			break
		}
		if b.ring(syscall.SIGTERM) != 0 {
			t.Error("somebody hears the signal although nobody asks for it any more")
		}
		return second(ringing.Await(ctx))
	}, b.in())
}

func TestEnvironment_sendsCtrlC_onceToRun(t *testing.T) {
	var b bells
	again := -1
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		b.ring(os.Interrupt)
		err := asyncio.Sleep(ctx, time.Hour)
		again = b.ring(os.Interrupt)
		return err
	}, b.in())
	if !errors.Is(err, asyncio.ErrInterrupted) || again != 0 {
		t.Errorf("Run returned %v; a second Ctrl-C was heard by %d, and should end the program", err, again)
	}
}

// As a shell starts a program in the background, or nohup does.
func TestEnvironment_hasIgnoredCtrlCFromTheStart_itIsLeftAlone(t *testing.T) {
	b := bells{ignored: true}
	wantErr(t, "Run", asyncio.Run(t.Context(), func(ctx context.Context) error {
		if b.ring(os.Interrupt) != 0 {
			t.Error("Run hears the signal")
		}
		return asyncio.Sleep(ctx, time.Millisecond)
	}, b.in()), nil)

	loop := clockLoop(t, b.in())
	loop.CallSoon(func() {
		if b.ring(os.Interrupt) != 0 {
			t.Error("RunForever hears the signal")
		}
		loop.Stop()
	})
	wantErr(t, "RunForever", loop.RunForever(t.Context()), nil)
}
