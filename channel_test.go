package asyncio_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// recvOne is Recv for a task, for a channel that is not closed.
func recvOne(ch <-chan int) asyncio.Coroutine[int] {
	return func(ctx context.Context) (int, error) {
		v, ok, err := asyncio.Recv(ctx, ch)
		if err == nil && !ok {
			err = errors.New("the channel is closed")
		}
		return v, err
	}
}

func sendOne(ch chan<- int, v int) func(ctx context.Context) error {
	return func(ctx context.Context) error { return asyncio.Send(ctx, ch, v) }
}

// until lets the loop go on until done.
func until(ctx context.Context, done func() bool) {
	for !done() && asyncio.Yield(ctx) == nil {
		runtime.Gosched()
	}
}

func TestRecvAndSend_whatIsPossibleAtOnce_takesNoGoroutineAndAllocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		goroutines, ch := runtime.NumGoroutine(), make(chan int, 2)
		allocates(t, "a Send and a Recv", 0, func() {
			if err := asyncio.Send(ctx, ch, 7); err != nil {
				t.Error(err)
			}
			if v, ok, err := asyncio.Recv(ctx, ch); v != 7 || !ok || err != nil {
				t.Errorf("got %d, %v, %v", v, ok, err)
			}
		})
		close(ch)
		if v, ok, err := asyncio.Recv(ctx, ch); v != 0 || ok || err != nil {
			t.Errorf("from a closed channel: %d, %v, %v", v, ok, err)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines more", n-goroutines)
		}
		return nil
	})
}

func TestRecv_waitsWhileTheLoopGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ch, closed := make(chan int), make(chan int)
		first, second := asyncio.CreateTask(ctx, recvOne(ch)), asyncio.CreateTask(ctx, recvOne(closed))
		letWait(t, ctx)
		if first.Done() || second.Done() {
			t.Error("received from an empty channel")
		}
		go func() {
			ch <- 7
			close(closed)
		}()
		if v, err := first.Await(ctx); v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		if _, err := second.Await(ctx); err == nil || err.Error() != "the channel is closed" {
			t.Errorf("from a channel that was closed meanwhile: %v", err)
		}
		return nil
	})
}

func TestSend_waitsWhileTheLoopGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ch := make(chan int)
		task := asyncio.Go(ctx, sendOne(ch, 7))
		letWait(t, ctx)
		if task.Done() {
			t.Error("sent to nobody")
		}
		got := make(chan int, 1)
		go func() { got <- <-ch }()
		if _, err := task.Await(ctx); err != nil {
			t.Error(err)
		}
		if v, _, err := asyncio.Recv(ctx, got); v != 7 {
			t.Errorf("got %d, %v", v, err)
		}
		return nil
	})
}

func TestRecvAndSend_underADoneContext_takeAndSendNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ch := make(chan int, 2)
		ch <- 1
		ours, cancelOurs := asyncio.WithCancel(ctx)
		standard, cancelStandard := context.WithCancel(ctx)
		cancelOurs(nil)
		cancelStandard()
		for _, done := range []context.Context{ours, standard} {
			others := 0
			asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
			if _, _, err := asyncio.Recv(done, ch); err != context.Canceled || others != 1 {
				t.Errorf("Recv: %v, %d others ran", err, others)
			}
			if err := asyncio.Send(done, ch, 2); err != context.Canceled || len(ch) != 1 {
				t.Errorf("Send: %v, %d in the channel", err, len(ch))
			}
		}
		return nil
	})
}

func TestRecvAndSend_cancelled_leaveNoGoroutineBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		goroutines, ch := runtime.NumGoroutine(), make(chan int)
		for _, wait := range []func(context.Context) error{
			func(ctx context.Context) error { _, _, err := asyncio.Recv(ctx, ch); return err },
		} {
			for range 100 {
				err := asyncio.Timeout(ctx, time.Hour, wait)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("got %v", err)
				}
				standard, cancel := context.WithTimeout(ctx, time.Microsecond)
				if err := wait(standard); err != context.DeadlineExceeded {
					t.Fatalf("under a context of the standard library: %v", err)
				}
				cancel()
			}
		}
		if err := asyncio.Timeout(ctx, time.Hour, sendOne(ch, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send: %v", err)
		}
		until(ctx, func() bool { return runtime.NumGoroutine() <= goroutines })
		return ctx.Err()
	})
}

// The helper has the value, the loop does not know yet, and the task is
// cancelled: the value is delivered, and the next wait reports.
func TestRecv_cancelledAtTheMomentOfTheValue_deliversIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop, ch := asyncio.RunningLoop(ctx), make(chan int)
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			v, ok, err := asyncio.Recv(ctx, ch)
			if !ok || err != nil {
				t.Errorf("Recv: %v, %v", ok, err)
			}
			wantErr(t, "the next wait", asyncio.Yield(ctx), context.Canceled)
			return v, nil
		})
		letWait(t, ctx)
		loop.CallSoon(func() {
			ch <- 7 // returns when the helper has received
			task.Cancel()
		})
		if v, err := task.Await(ctx); v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		return nil
	})
}

func TestSend_cancelledAtTheMomentOfTheReceiver_saysThatItWasSent(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ch := make(chan int)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			wantErr(t, "Send", asyncio.Send(ctx, ch, 7), nil)
			return asyncio.Yield(ctx)
		})
		letWait(t, ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() {
			if v := <-ch; v != 7 {
				t.Errorf("got %d", v)
			}
			task.Cancel()
		})
		_, err := task.Await(ctx)
		wantErr(t, "the next wait", err, context.Canceled)
		return nil
	})
}

func TestRecv_cancelledAtRandom_noValueIsLost(t *testing.T) {
	run(t, func(ctx context.Context) error {
		const n = 500
		ch := make(chan int)
		go func() {
			defer close(ch)
			for i := range n {
				ch <- i
				for range i % 3 {
					runtime.Gosched()
				}
			}
		}()
		rnd := rand.New(rand.NewPCG(1, 1))
		for next := 0; ; {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				v, ok, err := asyncio.Recv(ctx, ch)
				if err == nil && !ok {
					v = -1
				}
				return v, err
			})
			for range rnd.IntN(4) {
				asyncio.Yield(ctx)
			}
			task.Cancel()
			v, err := task.Await(ctx)
			switch {
			case err == context.Canceled:
				continue
			case v == -1 && next == n:
				return nil
			case v != next || err != nil:
				t.Fatalf("got %d, %v, want %d", v, err, next)
			}
			next++
		}
	})
}

func TestSend_cancelledAtRandom_saysTrulyWhatWasSent(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ch := make(chan int)
		var got []int
		var all sync.WaitGroup
		all.Go(func() {
			for v := range ch {
				got = append(got, v)
				for range v % 3 {
					runtime.Gosched()
				}
			}
		})
		rnd := rand.New(rand.NewPCG(2, 2))
		sent := 0
		for sent < 500 {
			task := asyncio.Go(ctx, sendOne(ch, sent))
			for range rnd.IntN(4) {
				asyncio.Yield(ctx)
			}
			task.Cancel()
			if _, err := task.Await(ctx); err == nil {
				sent++
			} else if err != context.Canceled {
				t.Fatal(err)
			}
		}
		close(ch)
		if err := outside(ctx, all.Wait); err != nil {
			return err
		}
		for i, v := range got {
			if v != i {
				t.Fatalf("value %d came as number %d", v, i)
			}
		}
		if len(got) != sent {
			t.Errorf("%d were received of %d sent", len(got), sent)
		}
		return nil
	})
}

func TestSend_onAClosedChannel_panicsInTheCallingTask(t *testing.T) {
	run(t, func(ctx context.Context) error {
		closed, ch := make(chan int), make(chan int)
		close(closed)
		mustPanic(t, "send on closed channel", func() { asyncio.Send(ctx, closed, 1) })
		if raceEnabled {
			return nil // to the detector a send and a close at the same time are a race
		}
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			mustPanic(t, "send on closed channel", func() { asyncio.Send(ctx, ch, 1) })
			return asyncio.Send(ctx, ch, 2)
		})
		letWait(t, ctx)
		close(ch)
		_, err := task.Await(ctx)
		var p *asyncio.PanicError
		var fault runtime.Error
		if !errors.As(err, &p) || !errors.As(err, &fault) || fault.Error() != "send on closed channel" {
			t.Errorf("the task's error: %v", err)
		}
		return nil
	})
}

func TestRecvAndSend_onANilChannel_waitUntilCancelled(t *testing.T) {
	var none chan int
	run(t, func(ctx context.Context) error {
		for _, wait := range []func(context.Context) error{
			func(ctx context.Context) error { _, _, err := asyncio.Recv(ctx, none); return err },
			sendOne(none, 1),
		} {
			if err := asyncio.Timeout(ctx, time.Hour, wait); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		return nil
	})
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		_, _, err := asyncio.Recv(ctx, none)
		return err
	})
	var dead *asyncio.DeadlockError
	if !errors.As(err, &dead) {
		t.Errorf("nobody can send on a nil channel, but Run returned %v", err)
	}
}

// While the helper is sent home the clock stands still, as its word comes for
// certain.
func TestRecv_onAVirtualClock_endsAtTheTimeOfItsCancellation(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop, ch := asyncio.RunningLoop(ctx), make(chan int)
		for range 100 {
			start := loop.Time()
			loop.CallLater(time.Second+1, func() {}) // what it could jump to
			err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
				_, _, err := asyncio.Recv(ctx, ch)
				return err
			})
			if d := loop.Time() - start; d != time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("ended after %v: %v", d, err)
			}
		}
		return nil
	})
}

func TestRecvAndSend_whileTheLoopEnds(t *testing.T) {
	loop := clockLoop(t)
	ch := make(chan int)
	var first, second error
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		_, _, first = asyncio.Recv(context.WithoutCancel(ctx), ch)
		second = asyncio.Send(context.WithoutCancel(ctx), ch, 1)
		return nil
	})
	asyncio.Go(loop.Context(), func(ctx context.Context) error {
		for { // until the loop has had enough of it
			asyncio.Recv(context.WithoutCancel(ctx), ch)
		}
	})
	loop.RunOnce()
	if err := abandon(loop); err != nil {
		t.Error(err)
	}
	wantErr(t, "the Recv that waited", first, asyncio.ErrLoopClosed)
	wantErr(t, "the Send after", second, asyncio.ErrLoopClosed)
	select { // no helper is left to receive it
	case ch <- 1:
		t.Error("a goroutine was left behind")
	default:
	}
}
