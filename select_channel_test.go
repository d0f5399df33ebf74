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

func TestSelect_ofChannels_waitsForAllOfThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		selecting(ctx, asyncio.Sleeping(1)).Await(ctx) // its coroutine stays, for the next task
		goroutines := runtime.NumGoroutine()
		var never asyncio.Event
		a, b, out := make(chan int), make(chan error), make(chan string)
		fromA, fromB, toOut := asyncio.Receiving(a), asyncio.Receiving(b), asyncio.Sending(out, "x")
		got := make(chan string, 1)
		for _, c := range []struct {
			what string
			do   func()
			want asyncio.Case
			made func() bool
		}{
			{"a value", func() { a <- 7 }, fromA, func() bool { return fromA.Value == 7 && fromA.OK }},
			{"a nil value", func() { b <- nil }, fromB, func() bool { return fromB.Value == nil && fromB.OK }},
			{"another one", func() { b <- context.Canceled }, fromB, func() bool { return fromB.Value == context.Canceled }},
			{"a receiver", func() { got <- <-out }, toOut, func() bool { return <-got == "x" }},
		} {
			for _, cases := range [][]asyncio.Case{{&never, c.want}, {fromA, toOut, &never, fromB}} {
				task := selecting(ctx, cases...)
				letWait(t, ctx)
				go c.do()
				chosen, err := task.Await(ctx)
				wantChosen(t, c.what, chosen, err, c.want, nil)
				if !c.made() {
					t.Errorf("%s: has not come", c.what)
				}
			}
		}
		for _, cases := range [][]asyncio.Case{{&never}, {fromA, toOut, &never, fromB}} {
			closed := make(chan int)
			fromClosed := asyncio.Receiving(closed)
			task := selecting(ctx, append(cases, fromClosed)...)
			letWait(t, ctx)
			go close(closed)
			chosen, err := task.Await(ctx)
			wantChosen(t, "a close", chosen, err, fromClosed, nil)
			if fromClosed.OK {
				t.Error("a close came as a value")
			}
		}
		until(ctx, func() bool { return runtime.NumGoroutine() <= goroutines })
		return nil
	})
}

func TestSelect_ofChannels_whenAnotherCaseIsChosen_leavesTheChannelsAloneAndNoGoroutine(t *testing.T) {
	run(t, func(ctx context.Context) error {
		selecting(ctx, asyncio.Sleeping(1)).Await(ctx)
		goroutines := runtime.NumGoroutine()
		in, out := make(chan int), make(chan int)
		q := asyncio.NewQueue[int](0)
		var event asyncio.Event
		get := q.Getting()
		for n := range 200 {
			event.Clear()
			task := selecting(ctx, asyncio.Receiving(in), get, &event, asyncio.Sending(out, 1))
			if n%2 == 0 {
				letWait(t, ctx) // else the goroutine has mostly not begun
			} else {
				asyncio.Yield(ctx)
			}
			want := asyncio.Case(get)
			if n%4 < 2 {
				q.TryPut(1)
			} else {
				event.Set()
				want = &event
			}
			chosen, err := task.Await(ctx)
			wantChosen(t, "Select", chosen, err, want, nil)
			select {
			case in <- 1:
				t.Fatal("somebody receives still")
			case <-out:
				t.Fatal("somebody sends still")
			default:
			}
		}
		until(ctx, func() bool { return runtime.NumGoroutine() <= goroutines })
		return nil
	}, fifo)
}

// The goroutine has the value, and the loop does not know yet: all else that could
// end the wait at this moment comes too late, and is left to others.
func TestSelect_aChannelThatWasQuicker_isChosenAndNothingElseIsTaken(t *testing.T) {
	for name, more := range map[string][]asyncio.Case{"one channel": nil, "several": {asyncio.Receiving(make(chan int))}} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				for _, s := range eachCase(ctx) {
					if s.name == "Task" || s.name == "Receiving" || s.name == "Sending" {
						continue
					}
					quicker(t, ctx, s.name, func(*asyncio.Task[asyncio.Case]) { s.enable() }, append(more, s.c)...)
					chosen, err := asyncio.TrySelect(ctx, s.c)
					wantChosen(t, s.name+" afterwards", chosen, err, s.c, s.err)
				}
				quicker(t, ctx, "a cancellation", func(task *asyncio.Task[asyncio.Case]) { task.Cancel() }, more...)
				quicker(t, ctx, "a timer", func(*asyncio.Task[asyncio.Case]) {}, append(more, asyncio.Sleeping(2))...)
				return nil
			})
		})
	}
}

// quicker lets a task select a channel and other cases, and something late happen
// when the channel has brought a value.
func quicker(t *testing.T, ctx context.Context, name string, late func(*asyncio.Task[asyncio.Case]), cases ...asyncio.Case) {
	t.Helper()
	ch := make(chan int)
	receive := asyncio.Receiving(ch)
	task := selecting(ctx, append(cases, receive)...)
	letWait(t, ctx)
	asyncio.RunningLoop(ctx).CallSoon(func() {
		ch <- 7 // returns when the goroutine has received
		late(task)
	})
	chosen, err := task.Await(ctx)
	wantChosen(t, name, chosen, err, receive, nil)
	if receive.Value != 7 {
		t.Errorf("%s: received %d", name, receive.Value)
	}
}

func TestSelect_aChannelThatWasQuickerThanAFailure_hasNotSeenIt(t *testing.T) {
	boom := errors.New("boom")
	var reports []error
	run(t, func(ctx context.Context) error {
		future := newFuture[int](ctx)
		quicker(t, ctx, "a future", func(*asyncio.Task[asyncio.Case]) { future.SetError(boom) }, future)
		return asyncio.Sleep(ctx, time.Minute)
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i.Err) }))
	if len(reports) != 1 || reports[0] != boom {
		t.Errorf("reported %v, want boom", reports)
	}
}

// What the goroutine's value keeps the first in line from goes to the next one.
func TestSelect_aChannelThatWasQuicker_passesTheItemToTheNextInLine(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ch, q := make(chan int), asyncio.NewQueue[int](0)
		receive := asyncio.Receiving(ch)
		first := selecting(ctx, q.Getting(), receive)
		letWait(t, ctx)
		next := asyncio.CreateTask(ctx, q.Get)
		letWait(t, ctx)
		asyncio.RunningLoop(ctx).CallSoon(func() { ch <- 7; q.TryPut(1) })
		chosen, err := first.Await(ctx)
		wantChosen(t, "the first", chosen, err, receive, nil)
		if v, err := next.Await(ctx); v != 1 || err != nil {
			t.Errorf("the next got %d, %v", v, err)
		}
		return nil
	})
}

func TestSelect_sendingOnAChannelThatIsClosed_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		closed, ch := make(chan int), make(chan int)
		close(closed)
		var never asyncio.Event
		mustPanic(t, "send on closed channel", func() { asyncio.Select(ctx, &never, asyncio.Sending(closed, 1)) })
		if raceEnabled {
			return nil // to the detector a send and a close at the same time are a race
		}
		for _, more := range [][]asyncio.Case{nil, {asyncio.Receiving(make(chan int))}} {
			ch = make(chan int)
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				mustPanic(t, "send on closed channel", func() { asyncio.Select(ctx, append(more, &never, asyncio.Sending(ch, 1))...) })
				return nil
			})
			letWait(t, ctx)
			close(ch)
			if _, err := task.Await(ctx); err != nil {
				t.Error(err)
			}
		}
		if text := never.String(); text != "an Event (not set)" {
			t.Errorf("somebody is left in line: %s", text)
		}
		return nil
	})
}

// A Race of two receives loses the second value.
func TestSelect_twoChannelsAtOnce_losesNoValue(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for range 500 {
			a, b := make(chan string, 1), make(chan string, 1)
			var senders sync.WaitGroup
			senders.Go(func() { a <- "a" })
			senders.Go(func() { b <- "b" })
			if _, err := asyncio.Select(ctx, asyncio.Receiving(a), asyncio.Receiving(b)); err != nil {
				return err
			}
			senders.Wait() // both have sent
			if left := len(a) + len(b); left != 1 {
				t.Fatalf("%d values are left of two, want 1", left)
			}
		}
		return nil
	})
}

// Selectors, getters, time-outs and goroutines at both ends, in true parallel:
// whatever goes in comes out, once.
func TestSelect_channelsAndQueuesAtRandom_nothingIsLost(t *testing.T) {
	const n, selectors = 2000, 4
	in, out, q := make(chan int), make(chan int), asyncio.NewQueue[int](0)
	sums := make(chan int, 1)
	go func() {
		defer close(in)
		for i := range n {
			in <- i
			for range i % 3 {
				runtime.Gosched()
			}
		}
	}()
	go func() {
		sum := 0
		for v := range out {
			sum += v
		}
		sums <- sum
	}()
	var received, queued, sent int
	run(t, func(ctx context.Context) error {
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for seed := range uint64(selectors) {
				g.Go(func(ctx context.Context) error {
					rnd := rand.New(rand.NewPCG(seed, 1))
					receive, get := asyncio.Receiving(in), q.Getting()
					for {
						cases := []asyncio.Case{receive, get, asyncio.Sending(out, 1)}
						rnd.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
						var chosen asyncio.Case
						err := asyncio.Timeout(ctx, time.Duration(rnd.IntN(50))*time.Microsecond, func(ctx context.Context) (err error) {
							chosen, err = asyncio.Select(ctx, cases[:1+rnd.IntN(3)]...)
							return err
						})
						switch chosen {
						case nil:
							if !errors.Is(err, context.DeadlineExceeded) {
								return err
							}
						case receive:
							if !receive.OK {
								return nil
							}
							received += receive.Value
							q.TryPut(receive.Value)
						case get:
							queued += get.Value
						default:
							sent++
						}
					}
				})
			}
			return nil
		})
		for !q.Empty() {
			v, _ := q.TryGet()
			queued += v
		}
		return err
	})
	close(out)
	if sum := <-sums; received != n*(n-1)/2 || queued != received || sum != sent {
		t.Errorf("received %d, want %d; %d went through the queue; %d of %d sent have come", received, n*(n-1)/2, queued, sum, sent)
	}
}
