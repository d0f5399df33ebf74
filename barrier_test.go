package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/go-asyncio/asyncio"
)

// party is one call of Barrier.Wait in a task of its own.
type party = asyncio.Task[int]

func parties(ctx context.Context, b *asyncio.Barrier, n int) []*party {
	var tasks []*party
	for range n {
		tasks = append(tasks, asyncio.CreateTask(ctx, b.Wait))
	}
	return tasks
}

// wantParties fails the test unless the parties' waits have ended so: with an
// index, as broken, by a cancellation, or not yet.
func wantParties(t *testing.T, when string, tasks []*party, want string) {
	t.Helper()
	var got []string
	for _, task := range tasks {
		index, err := task.Result()
		switch {
		case errors.Is(err, asyncio.ErrInvalidState):
			got = append(got, "waits")
		case err == nil:
			got = append(got, fmt.Sprint(index))
		case index != -1:
			got = append(got, fmt.Sprint(err, " with the index ", index))
		case err == asyncio.ErrBrokenBarrier:
			got = append(got, "broken")
		case err == context.Canceled:
			got = append(got, "cancelled")
		default:
			got = append(got, err.Error())
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%s: %s, want %s", when, strings.Join(got, " "), want)
	}
}

func wantState(t *testing.T, b *asyncio.Barrier, want string) {
	t.Helper()
	if got := b.String(); got != "a Barrier ("+want+" wait)" {
		t.Errorf("%s; want %s wait", got, want)
	}
	if b.Broken() != strings.HasPrefix(want, "broken") {
		t.Errorf("%s: Broken says %v", want, b.Broken())
	}
}

// conformance: barrier-02 barrier-06 barrier-16
func TestBarrier_states(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		wantState(t, b, "filling, 0 of 3")
		for n := range 2 {
			parties(ctx, b, 1)
			letWait(t, ctx)
			wantState(t, b, fmt.Sprintf("filling, %d of 3", n+1))
			if b.Waiting() != n+1 || b.Parties() != 3 {
				t.Errorf("%d of %d wait", b.Waiting(), b.Parties())
			}
		}
		b.Wait(ctx)
		wantState(t, b, "draining, 0 of 3")
		b.Reset()
		wantState(t, b, "resetting, 0 of 3")
		letWait(t, ctx)
		wantState(t, b, "filling, 0 of 3")
		b.Abort()
		wantState(t, b, "broken, 0 of 3")
		b.Reset()
		wantState(t, b, "filling, 0 of 3")
		return nil
	})
}

// conformance: barrier-03
func TestBarrier_withoutParties_panics(t *testing.T) {
	mustPanic(t, "asyncio: NewBarrier: 0 parties; there must be at least 1", func() { asyncio.NewBarrier(0) })
	mustPanic(t, "asyncio: NewBarrier: -1 parties", func() { asyncio.NewBarrier(-1) })
}

// conformance: barrier-04
func TestBarrier_givesEachPartyAnIndexOfItsOwn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(4)
		tasks := parties(ctx, b, 4)
		letWait(t, ctx)
		wantParties(t, "all have come", tasks, "0 1 2 3")
		return nil
	}, fifo)
}

// conformance: barrier-05
func TestBarrier_ofOne_neverWaits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(1)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		for range 3 {
			if index, err := b.Wait(ctx); index != 0 || err != nil || others != 0 {
				t.Errorf("got %d, %v; %d others ran", index, err, others)
			}
			wantState(t, b, "filling, 0 of 1")
		}
		return nil
	}, fifo)
}

// conformance: barrier-07
func TestBarrier_isUsedAgainAndAgain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		const n, rounds = 5, 10
		b := asyncio.NewBarrier(n)
		var indexes [rounds][]int
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for range n {
				g.Go(func(ctx context.Context) error {
					for round := range rounds {
						index, err := b.Wait(ctx)
						if err != nil {
							return err
						}
						if round > 0 && len(indexes[round-1]) != n {
							t.Errorf("round %d began before %d was over", round, round-1)
						}
						indexes[round] = append(indexes[round], index)
					}
					return nil
				})
			}
			return nil
		})
		for round, got := range indexes {
			slices.Sort(got)
			if fmt.Sprint(got) != "[0 1 2 3 4]" {
				t.Errorf("round %d: indexes %v", round, got)
			}
		}
		return err
	})
}

// Who comes while others are leaving waits until they have left, even if enough
// for a round are together before, and is of the next round then.
//
// conformance: barrier-08 barrier-09
// pitfall: 27
func TestBarrier_whileOthersLeave_nextRoundWaits(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(2)
		first := parties(ctx, b, 1)
		letWait(t, ctx)
		next := parties(ctx, b, 3) // ready before the first is woken
		asyncio.RunningLoop(ctx).CallSoon(func() {
			wantParties(t, "the first, while it is draining", first, "waits")
			wantParties(t, "the others, while it is draining", next, "waits waits waits")
			wantState(t, b, "draining, 3 of 2")
		})
		b.Wait(ctx)
		letWait(t, ctx)
		wantParties(t, "the first", first, "0")
		wantParties(t, "those of the next rounds", next, "0 1 waits")
		wantState(t, b, "filling, 1 of 2")
		index, err := b.Wait(ctx)
		if index != 1 {
			t.Errorf("index %d, want 1", index)
		}
		return err
	}, fifo)
}

// conformance: barrier-10
// pitfall: 27
func TestBarrier_cancelledParty_doesNotCountAndAnotherTakesItsPlace(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		tasks := parties(ctx, b, 2)
		letWait(t, ctx)
		tasks[0].Cancel()
		wantState(t, b, "filling, 1 of 3") // at once: it has not run
		more := asyncio.CreateTask(ctx, b.Wait)
		letWait(t, ctx)
		wantParties(t, "two are left", append(tasks, more), "cancelled waits waits")
		index, err := b.Wait(ctx)
		if index != 2 || err != nil {
			t.Errorf("the last one got %d, %v", index, err)
		}
		letWait(t, ctx)
		wantParties(t, "in the end", append(tasks, more), "cancelled 0 1")
		return nil
	}, fifo)
}

func TestBarrier_cancelledInTheTurnInWhichTheLastOneComes(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(2)
		before := parties(ctx, b, 1)
		letWait(t, ctx)
		before[0].Cancel()
		after := parties(ctx, b, 1)
		letWait(t, ctx)
		wantParties(t, "cancelled before the last came", append(before, after...), "cancelled waits")
		b.Wait(ctx)
		after[0].Cancel() // it has been let go
		letWait(t, ctx)
		wantParties(t, "cancelled after the last came", after, "0")
		return nil
	})
}

// conformance: barrier-11 barrier-12 barrier-14
func TestBarrier_reset_breaksThoseWhoWait_andNobodyAfter(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		b.Reset()
		wantState(t, b, "filling, 0 of 3")
		again := make([]*party, 2)
		var tasks []*party
		for i := range again {
			tasks = append(tasks, asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				defer func() { again[i] = asyncio.CreateTask(ctx, b.Wait) }()
				return b.Wait(ctx)
			}))
		}
		letWait(t, ctx)
		b.Reset()
		wantState(t, b, "filling, 0 of 3")
		letWait(t, ctx)
		wantParties(t, "those who waited", tasks, "broken broken")
		wantState(t, b, "filling, 2 of 3")
		if _, err := b.Wait(ctx); err != nil {
			return err
		}
		letWait(t, ctx)
		wantParties(t, "those who waited again", again, "0 1")
		return nil
	}, fifo)
}

// drain lets a barrier of three drain: who calls it has left, first leaves next
// and then calls act, last leaves after that and calls actLast, and next, two of
// them, have come back before either.
func drain(t *testing.T, ctx context.Context, b *asyncio.Barrier, act, actLast func()) (first, last, next []*party) {
	t.Helper()
	leave := func(act func()) []*party {
		return []*party{asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			index, err := b.Wait(ctx)
			act()
			return index, err
		})}
	}
	first, last = leave(act), leave(actLast)
	letWait(t, ctx)
	next = parties(ctx, b, 2)
	if index, err := b.Wait(ctx); index != 2 || err != nil {
		t.Errorf("who completes the round got %d, %v", index, err)
	}
	letWait(t, ctx)
	return first, last, next
}

// conformance: barrier-13
// pitfall: 27
func TestBarrier_resetWhileDraining_breaksOnlyThoseWhoHaveNotLeft(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		first, last, next := drain(t, ctx, b, func() {
			b.Reset()
			wantState(t, b, "resetting, 2 of 3")
		}, func() { wantState(t, b, "filling, 2 of 3") })
		wantParties(t, "who left before", first, "0")
		wantParties(t, "who had not left", last, "broken")
		wantParties(t, "the next round", next, "waits waits")
		_, err := b.Wait(ctx)
		letWait(t, ctx)
		wantParties(t, "the next round", next, "0 1")
		return err
	}, fifo)
}

// In asyncio those who come back are not counted before they run again. Here
// they wait in the next round as soon as the last one has left.
//
// conformance: barrier-15
func TestBarrier_resetByTheLastToLeave_breaksTheNextRound(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		first, last, next := drain(t, ctx, b, func() {}, b.Reset)
		wantParties(t, "the round", append(first, last...), "0 1")
		wantParties(t, "the next round", next, "broken broken")
		wantState(t, b, "filling, 0 of 3")
		again := parties(ctx, b, 2)
		letWait(t, ctx)
		_, err := b.Wait(ctx)
		letWait(t, ctx)
		wantParties(t, "those who wait after that", again, "0 1")
		return err
	}, fifo)
}

// conformance: barrier-17
// pitfall: 27
func TestBarrier_abortWhileDraining_breaksThoseWhoHaveNotLeftAndTheNextRound(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		first, last, next := drain(t, ctx, b, b.Abort, func() {})
		wantParties(t, "who left before", first, "0")
		wantParties(t, "who had not left", last, "broken")
		wantParties(t, "the next round", next, "broken broken")
		wantState(t, b, "broken, 0 of 3")
		return nil
	}, fifo)
}

func TestBarrier_abortedAndResetWhileDraining_isFillingWhenAllHaveLeft(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		_, last, _ := drain(t, ctx, b, func() {
			b.Abort()
			b.Reset()
			wantState(t, b, "resetting, 0 of 3")
		}, func() {})
		wantParties(t, "who had not left", last, "broken")
		wantState(t, b, "filling, 0 of 3")
		return nil
	}, fifo)
}

// conformance: barrier-18 barrier-19
func TestBarrier_abortedByAPartyThatFails_isBrokenUntilReset(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		tasks := parties(ctx, b, 2)
		letWait(t, ctx)
		b.Abort()
		letWait(t, ctx)
		wantParties(t, "those who waited", tasks, "broken broken")
		for range 2 {
			index, err := b.Wait(ctx)
			if index != -1 {
				t.Errorf("index %d of a broken barrier", index)
			}
			wantErr(t, "a later Wait", err, asyncio.ErrBrokenBarrier)
		}
		b.Reset()
		tasks = parties(ctx, b, 3)
		letWait(t, ctx)
		wantParties(t, "after the reset", tasks, "0 1 2")
		return nil
	}, fifo)
}

func TestBarrier_underADoneContext_doesNotCount(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(2)
		tasks := parties(ctx, b, 1)
		letWait(t, ctx)
		boom := errors.New("boom")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		index, err := b.Wait(done)
		if index != -1 {
			t.Errorf("index %d", index)
		}
		wantErr(t, "Wait", err, boom)
		wantParties(t, "the other", tasks, "waits")
		wantState(t, b, "filling, 1 of 2")
		_, err = b.Wait(ctx)
		return err
	})
}

func TestBarrier_elsewhere_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(2)
		parties(ctx, b, 1)
		letWait(t, ctx)
		elsewhere(func() {
			const fault = ": asyncio: called from a goroutine that is not the event loop's"
			mustPanic(t, "Barrier.Reset"+fault, b.Reset)
			mustPanic(t, "Barrier.Abort"+fault, b.Abort)
			_, err := b.Wait(ctx)
			wantErr(t, "Wait", err, asyncio.ErrWrongGoroutine)
			onAnotherLoop(t, func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
		})
		_, err := b.Wait(ctx)
		return err
	})
}

func TestBarrier_deadlock_namesIt(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		_, err := asyncio.NewBarrier(2).Wait(ctx)
		return err
	}, asyncio.WithVirtualClock())
	if err == nil || !strings.Contains(err.Error(), "main waits for a Barrier of 2") {
		t.Errorf("got %v", err)
	}
}

// partyWithResult lets two tasks meet at the barrier, and returns the result of one.
func partyWithResult(ctx context.Context, b *asyncio.Barrier) (weak.Pointer[[1000]int], error) {
	other := asyncio.CreateTask(ctx, b.Wait)
	result, err := asyncio.CreateTask(ctx, func(ctx context.Context) (*[1000]int, error) {
		_, err := b.Wait(ctx)
		return new([1000]int), err
	}).Await(ctx)
	_, otherErr := other.Await(ctx)
	return weak.Make(result), errors.Join(err, otherErr)
}

func TestBarrier_knowsItsParties_butDoesNotKeepWhatTheyReturned(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(2)
		result, err := partyWithResult(ctx, b)
		runtime.GC()
		if result.Value() != nil {
			t.Error("the result of a task that has passed is still in memory")
		}
		runtime.KeepAlive(b)
		return err
	})
}

func TestBarrier_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		for range 2 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				for {
					if _, err := b.Wait(ctx); err != nil {
						return nil
					}
				}
			})
		}
		allocates(t, "a round", 0, func() { b.Wait(ctx) })
		b.Abort()
		return nil
	})
}

// Parties come, are cancelled, reset and abort at random: each round has all its
// indexes once, and nobody waits when enough are there.
//
// pitfall: 27
func TestBarrier_atRandom(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		run(t, func(ctx context.Context) error {
			n := 1 + rnd.IntN(4)
			b := asyncio.NewBarrier(n)
			resets, passed, inRound := 0, 0, map[int]bool{}
			pass := func(index int) {
				passed++
				if inRound[index] = true; len(inRound) == n {
					clear(inRound)
				}
			}
			var tasks []*party
			for range 60 {
				tasks = append(tasks, asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					asyncio.Sleep(ctx, time.Duration(rnd.IntN(20)))
					before := ctx.Err() != nil
					index, err := b.Wait(ctx)
					switch {
					case err == nil && (before || index < 0 || index >= n || inRound[index]):
						t.Errorf("seed %d: of %d: index %d after %v", seed, n, index, inRound)
					case err == nil:
						pass(index)
					case err == asyncio.ErrBrokenBarrier && resets == 0:
						t.Errorf("seed %d: broken, though nobody did it", seed)
					}
					if rnd.IntN(3) == 0 {
						if index, err = b.Wait(ctx); err == nil {
							pass(index)
						}
					}
					return index, err
				}))
			}
			for range 10 {
				asyncio.Sleep(ctx, time.Duration(rnd.IntN(4)))
				if seed%2 == 0 {
					tasks[rnd.IntN(len(tasks))].Cancel()
				}
				if seed%8 == 4 && rnd.IntN(4) == 0 {
					resets++
					b.Abort()
					b.Reset()
					clear(inRound)
				}
			}
			asyncio.Sleep(ctx, time.Hour)
			if b.Waiting() >= n || len(inRound) > 0 || resets == 0 && passed%n != 0 {
				t.Errorf("seed %d: %s at the end, %d passed, half a round: %v", seed, b, passed, inRound)
			}
			return nil
		})
		if t.Failed() {
			return
		}
	}
}
