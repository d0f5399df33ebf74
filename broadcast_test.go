package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// listen starts a task that notes what it receives until an error that is no
// LaggedError, and takes so long for each value.
func listen(ctx context.Context, s *asyncio.Subscription[int], log *[]string, each time.Duration) *asyncio.Task[asyncio.None] {
	return asyncio.Go(ctx, func(ctx context.Context) error {
		for v, err := range s.All(ctx) {
			var lagged *asyncio.LaggedError
			switch {
			case errors.As(err, &lagged):
				*log = append(*log, fmt.Sprintf("%d lost", lagged.Lost))
			case err != nil:
				return err
			default:
				*log = append(*log, fmt.Sprint(v))
				asyncio.Sleep(ctx, each)
			}
		}
		*log = append(*log, "end")
		return nil
	})
}

func TestBroadcast_eachSubscriber_getsWhatIsSentAfterItSubscribed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var b asyncio.Broadcast[int]
		var first, second []string
		b.Send(1)
		listen(ctx, b.Subscribe(), &first, 0)
		b.Send(2)
		listen(ctx, b.Subscribe(), &second, 0)
		b.Send(3)
		letWait(t, ctx)
		if s := b.String(); s != "a Broadcast (keeps 16, 3 sent, 2 wait)" {
			t.Error(s)
		}
		b.Send(4)
		b.Close()
		b.Close()
		letWait(t, ctx)
		wantLog(t, "first", first, "2, 3, 4, end")
		wantLog(t, "second", second, "3, 4, end")
		wantErr(t, "Send", b.Send(5), asyncio.ErrBroadcastClosed)
		_, err := b.Subscribe().Recv(ctx)
		wantErr(t, "Recv", err, asyncio.ErrBroadcastClosed)
		return nil
	})
}

func TestBroadcast_aSlowSubscriber_isToldHowManyItLost_andGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBroadcast[int](3)
		var slow, quick []string
		listen(ctx, b.Subscribe(), &slow, 5*time.Second)
		listen(ctx, b.Subscribe(), &quick, 0)
		for n := range 10 {
			asyncio.Sleep(ctx, time.Second)
			b.Send(n)
		}
		b.Close()
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "quick", quick, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, end")
		wantLog(t, "slow", slow, "0, 1 lost, 2, 4 lost, 7, 8, 9, end")
		return nil
	}, fifo)
}

func TestBroadcast_cancelledRecv_losesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var b asyncio.Broadcast[int]
		s, stop := b.Subscribe(), errors.New("stop")
		recv := func(ctx context.Context) (int, error) { return s.Recv(ctx) }
		task := asyncio.CreateTask(ctx, recv)
		letWait(t, ctx)
		task.Cancel(stop)
		b.Send(1)
		_, err := task.Await(ctx)
		wantErr(t, "cancelled before Send", err, stop)

		over, cancel := asyncio.WithCancel(ctx)
		cancel(stop)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		_, err = s.Recv(over)
		if wantErr(t, "under a done context", err, stop); others != 1 {
			t.Error("it has not yielded once")
		}
		if v, err := s.Recv(ctx); v != 1 || err != nil {
			t.Errorf("got %d, %v, want 1", v, err)
		}

		task = asyncio.CreateTask(ctx, recv)
		letWait(t, ctx)
		b.Send(2)
		task.Cancel(stop)
		if v, err := task.Await(ctx); v != 2 || err != nil {
			t.Errorf("cancelled after Send: %d, %v", v, err)
		}
		return nil
	})
}

func TestBroadcast_inASelect(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBroadcast[int](1)
		recv := b.Subscribe().Receiving()
		loop := quietLoop(ctx)
		loop.CallLater(time.Second, func() { b.Send(7) })
		loop.CallLater(3*time.Second, func() { b.Send(8); b.Send(9) })
		loop.CallLater(4*time.Second, b.Close)
		var log []string
		for {
			chosen, err := asyncio.Select(ctx, (*asyncio.BroadcastReceive[int])(nil), &asyncio.BroadcastReceive[int]{}, recv, asyncio.Sleeping(1500*time.Millisecond))
			switch {
			case err == asyncio.ErrBroadcastClosed:
				wantLog(t, "Select", log, "7, time, asyncio: the subscriber was too slow for the broadcast: 1 values are lost, 9")
				return nil
			case err != nil:
				log = append(log, err.Error())
			case chosen == recv:
				log = append(log, fmt.Sprint(recv.Value))
			default:
				log = append(log, "time")
			}
		}
	})
}

func TestBroadcast_aSubscriptionOfTwoTasks_givesEachValueToOneOfThem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var b asyncio.Broadcast[int]
		s := b.Subscribe()
		var log []string
		listen(ctx, s, &log, 0)
		listen(ctx, s, &log, 0)
		letWait(t, ctx)
		for n := range 3 {
			b.Send(n)
			letWait(t, ctx)
		}
		b.Close()
		letWait(t, ctx)
		wantLog(t, "both", log, "0, 1, 2, end, end")
		return nil
	})
}

func TestBroadcast_misuse_isNamed(t *testing.T) {
	mustPanic(t, "NewBroadcast: it is to keep 0 values", func() { asyncio.NewBroadcast[int](0) })
	run(t, func(ctx context.Context) error {
		var b asyncio.Broadcast[int]
		s := b.Subscribe()
		elsewhere(func() {
			mustPanic(t, "Broadcast.Send", func() { b.Send(1) })
			mustPanic(t, "Broadcast.Subscribe", func() { b.Subscribe() })
			_, err := s.Recv(ctx)
			wantErr(t, "Recv", err, asyncio.ErrWrongGoroutine)
			onAnotherLoop(t, func(ctx context.Context) error { _, err := s.Recv(ctx); return err })
		})
		return nil
	})
}

func TestBroadcast_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBroadcast[int](4)
		s := b.Subscribe()
		allocates(t, "Send and Recv", 0, func() { b.Send(1); s.Recv(ctx) })
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for asyncio.Yield(ctx) == nil {
				b.Send(1)
			}
			return nil
		})
		allocates(t, "a wait in Recv", 0, func() { s.Recv(ctx) })
		other.Cancel()
		return nil
	})
}

// Values that are sent, received and given up at random: each subscriber gets them
// all in their order, but for those of which it was told that they are lost, and
// nobody waits for a value that is there.
func TestBroadcast_atRandom(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		keep := 1 + rnd.IntN(4)
		b := asyncio.NewBroadcast[int](keep)
		sent, closed := 0, false
		fault := func(format string, args ...any) { t.Errorf("seed %d: %s", seed, fmt.Sprintf(format, args...)) }
		pause := func(most int) time.Duration { return time.Duration(rnd.IntN(most)) * time.Microsecond }
		subscriber := func(ctx context.Context) error {
			asyncio.Sleep(ctx, pause(100))
			s, next := b.Subscribe(), sent
			recv := s.Receiving()
			for {
				if rnd.IntN(3) == 0 {
					asyncio.Sleep(ctx, pause(30))
				}
				var v int
				err := asyncio.Timeout(ctx, pause(20), func(ctx context.Context) (err error) {
					if rnd.IntN(2) == 0 {
						v, err = s.Recv(ctx)
						return err
					}
					_, err = asyncio.Select(ctx, recv)
					v = recv.Value
					return err
				})
				var lagged *asyncio.LaggedError
				switch {
				case errors.As(err, &lagged):
					if lagged.Lost != sent-next-keep {
						fault("%d lost of %d with %d kept, at %d", lagged.Lost, sent, keep, next)
					}
					next += lagged.Lost
				case err == asyncio.ErrBroadcastClosed:
					if !closed || next != sent {
						fault("closed %v, with %d of %d received", closed, next, sent)
					}
					return nil
				case err == nil:
					if v != next || sent-next > keep {
						fault("got %d of %d with %d kept, want %d", v, sent, keep, next)
					}
					next++
				case !errors.Is(err, context.DeadlineExceeded):
					fault("%v", err)
				}
			}
		}
		run(t, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 4 {
					g.Go(subscriber)
				}
				for range 60 {
					for range rnd.IntN(4) {
						b.Send(sent)
						sent++
					}
					asyncio.Sleep(ctx, pause(10))
				}
				closed = true
				b.Close()
				return nil
			})
		}, asyncio.WithChaos(seed))
		if t.Failed() {
			return
		}
	}
}
