package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// cyclesAmong starts the members in a program with a thousand other tasks and a
// ticker, and returns what is reported within a tenth of a second.
func cyclesAmong(t *testing.T, members func(ctx context.Context, g group), opts ...asyncio.Option) []asyncio.ExceptionInfo {
	t.Helper()
	var reports []asyncio.ExceptionInfo
	handler := asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reports = append(reports, info) })
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.Go(func(ctx context.Context) error { return tick(ctx, time.Millisecond) }, asyncio.Name("ticker"))
			for range 1000 {
				g.Go(func(ctx context.Context) error { return tick(ctx, time.Second) })
			}
			members(ctx, g)
			err := asyncio.Sleep(ctx, 100*time.Millisecond)
			g.Cancel()
			return err
		})
	}, append([]asyncio.Option{asyncio.WithVirtualClock(), handler}, opts...)...)
	if err != nil {
		t.Error(err)
	}
	return reports
}

func tick(ctx context.Context, every time.Duration) error {
	for {
		if err := asyncio.Sleep(ctx, every); err != nil {
			return err
		}
	}
}

// wantCycle fails the test unless there is one report, on tasks whose lines begin
// with these, each with the line where it waits. It returns the error.
func wantCycle(t *testing.T, reports []asyncio.ExceptionInfo, tasks ...string) *asyncio.DeadlockError {
	t.Helper()
	var deadlock *asyncio.DeadlockError
	if len(reports) != 1 || !errors.As(reports[0].Err, &deadlock) {
		t.Fatalf("reports %v, want one on a deadlock", reports)
	}
	if len(deadlock.Tasks) != len(tasks) {
		t.Fatalf("%d tasks, want %d:\n%v", len(deadlock.Tasks), len(tasks), deadlock)
	}
	first := slices.IndexFunc(deadlock.Tasks, func(s string) bool { return strings.HasPrefix(s, tasks[0]) })
	for i, want := range tasks {
		got := deadlock.Tasks[(max(first, 0)+i)%len(tasks)]
		if !strings.HasPrefix(got, want+" (at ") {
			t.Errorf("got %q, want it to begin with %q, in this order", got, want)
		}
		if !regexp.MustCompile(` \(at \S*cycle_test\.go:\d+\)`).MatchString(got) {
			t.Errorf("%q does not say where", got)
		}
	}
	return deadlock
}

func wantCertain(t *testing.T, reports []asyncio.ExceptionInfo, tasks ...string) {
	t.Helper()
	d := wantCycle(t, reports, tasks...)
	if len(d.Unless) > 0 || !strings.HasPrefix(d.Error(), "asyncio: deadlock: ") || !strings.HasPrefix(reports[0].Message, "deadlock: ") {
		t.Errorf("not called a deadlock: %s: %v", reports[0].Message, d)
	}
}

func wantLikely(t *testing.T, reports []asyncio.ExceptionInfo, unless []string, tasks ...string) {
	t.Helper()
	d := wantCycle(t, reports, tasks...)
	if !strings.HasPrefix(d.Error(), "asyncio: likely deadlock: ") || !strings.HasPrefix(reports[0].Message, "likely deadlock: ") {
		t.Errorf("not called a likely deadlock: %s: %v", reports[0].Message, d)
	}
	for _, way := range unless {
		if !slices.Contains(d.Unless, way) {
			t.Errorf("%q is not among what could end it:\n%v", way, d)
		}
	}
	if len(d.Unless) != len(unless) {
		t.Errorf("want %d ways out:\n%v", len(unless), d)
	}
}

func released(name string) string {
	return name + " goes on if a task that does not hold the Lock releases it"
}

// lockBoth returns a task that takes one lock and then the other, as soon as
// somebody has that.
func lockBoth(first, second *asyncio.Lock) func(context.Context) error {
	return func(ctx context.Context) error {
		return first.Do(ctx, func() error {
			until(ctx, second.Locked)
			return second.Do(ctx, func() error { return nil })
		})
	}
}

func TestCycle_ofTwoLocks_isReportedWithin100ms(t *testing.T) {
	for name, opts := range map[string][]asyncio.Option{
		"as usual": nil, "in debug mode": {asyncio.WithDebug(true)},
	} {
		t.Run(name, func(t *testing.T) {
			var a, b asyncio.Lock
			reports := cyclesAmong(t, func(ctx context.Context, g group) {
				g.Go(lockBoth(&a, &b), asyncio.Name("left"))
				g.Go(lockBoth(&b, &a), asyncio.Name("right"))
			}, opts...)
			wantLikely(t, reports, []string{released("left"), released("right")},
				"left waits for a Lock held by right", "right waits for a Lock held by left")
			wantText(t, reports[0].Err.Error(), "created at ")
		})
	}
}

// A machine that is busy with other things holds up the loop and with it the
// report: so the time for which it did is not counted.
func TestCycle_inRealTime_isReportedWithin100ms(t *testing.T) {
	var reported asyncio.Event
	handler := func(info asyncio.ExceptionInfo) {
		var d *asyncio.DeadlockError
		if reported.IsSet() || !errors.As(info.Err, &d) {
			t.Errorf("unwanted report: %v", info)
		}
		reported.Set()
	}
	var took, late time.Duration
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			for range 1000 {
				g.Go(func(ctx context.Context) error { return tick(ctx, time.Second) })
			}
			asyncio.Yield(ctx)
			g.Go(func(ctx context.Context) error { return lateness(ctx, &late) })
			var a, b asyncio.Lock
			start := time.Now()
			g.Go(lockBoth(&a, &b), asyncio.Name("left"))
			g.Go(lockBoth(&b, &a), asyncio.Name("right"))
			err := reported.Wait(ctx)
			took = time.Since(start)
			g.Cancel()
			return err
		})
	}, asyncio.WithExceptionHandler(handler))
	if err != nil || took > 100*time.Millisecond+late {
		t.Errorf("%v; it took %v, in which the loop was held up for %v", err, took, late)
	}
}

// lateness adds up for how long sleeps last longer than they should.
func lateness(ctx context.Context, late *time.Duration) error {
	for {
		start := time.Now()
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
		*late += time.Since(start) - time.Millisecond
	}
}

func TestCycle_aTaskThatAcquiresItsOwnLock_isReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var l asyncio.Lock
		g.Go(func(ctx context.Context) error {
			return l.Do(ctx, func() error { return l.Do(ctx, func() error { return nil }) })
		}, asyncio.Name("again"))
	})
	wantLikely(t, reports, []string{released("again")}, "again waits for a Lock held by again")
	wantText(t, reports[0].Message, "waits for itself")
}

// awaitEachOther starts tasks each of which awaits the next one.
func awaitEachOther(ctx context.Context, names ...string) {
	tasks := make([]*asyncio.Task[int], len(names))
	for i, name := range names {
		tasks[i] = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			return tasks[(i+1)%len(tasks)].Await(ctx)
		}, asyncio.Name(name))
	}
}

func TestCycle_ofAwaits_isACertainDeadlock(t *testing.T) {
	wantCertain(t, cyclesAmong(t, func(ctx context.Context, _ group) { awaitEachOther(ctx, "a", "b") }),
		"a waits for b", "b waits for a")
	wantCertain(t, cyclesAmong(t, func(ctx context.Context, _ group) { awaitEachOther(ctx, "a", "b", "c") }),
		"a waits for b", "b waits for c", "c waits for a")
}

func TestCycle_longerThanTheFirstLookGoes_isReported(t *testing.T) {
	names := make([]string, 200)
	want := make([]string, 200)
	for i := range names {
		names[i] = "n" + string(rune('A'+i))
	}
	for i := range names {
		want[i] = names[i] + " waits for " + names[(i+1)%len(names)]
	}
	wantCertain(t, cyclesAmong(t, func(ctx context.Context, _ group) { awaitEachOther(ctx, names...) }), want...)
}

func TestCycle_ofAnAwaitAndALock_isReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var l asyncio.Lock
		g.Go(func(ctx context.Context) error {
			return l.Do(ctx, func() error {
				child := asyncio.Go(ctx, func(ctx context.Context) error {
					return l.Do(ctx, func() error { return nil })
				}, asyncio.Name("child"))
				_, err := child.Await(ctx)
				return err
			})
		}, asyncio.Name("parent"))
	})
	wantLikely(t, reports, []string{released("child")}, "parent waits for child", "child waits for a Lock held by parent")
}

func TestCycle_theOwnerOfAGroupHoldsWhatItsChildWaitsFor_isReported(t *testing.T) {
	for name, pause := range map[string]time.Duration{"the child waits last": 0, "the owner waits last": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			reports := cyclesAmong(t, func(ctx context.Context, g group) {
				var l asyncio.Lock
				g.Go(func(ctx context.Context) error {
					return l.Do(ctx, func() error {
						return asyncio.Group(ctx, func(ctx context.Context, g group) error {
							g.Go(func(ctx context.Context) error { return tick(ctx, time.Second) })
							g.Go(func(ctx context.Context) error {
								return l.Do(ctx, func() error { return nil })
							}, asyncio.Name("child"))
							return asyncio.Sleep(ctx, pause)
						})
					})
				}, asyncio.Name("owner"))
			})
			wantLikely(t, reports, []string{released("child")},
				"owner waits for the 2 tasks of its group", "child waits for a Lock held by owner")
		})
	}
}

func TestCycle_deepBelowTheOneWhoHoldsTheLock_isReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var l asyncio.Lock
		g.Go(func(ctx context.Context) error {
			return l.Do(ctx, func() error {
				return asyncio.Group(ctx, func(ctx context.Context, g group) error {
					g.Go(func(ctx context.Context) error {
						return asyncio.Group(ctx, func(ctx context.Context, g group) error {
							g.Go(lockBoth(&l, &l), asyncio.Name("leaf"))
							return asyncio.Sleep(ctx, time.Millisecond)
						})
					}, asyncio.Name("middle"))
					return asyncio.Yield(ctx)
				})
			})
		}, asyncio.Name("top"))
	})
	wantLikely(t, reports, []string{released("leaf")}, "top waits for the 1 tasks of its group",
		"middle waits for the 1 tasks of its group", "leaf waits for a Lock held by top")
}

func TestCycle_aChildAwaitsWhoJoinsIt_isACertainDeadlock(t *testing.T) {
	for name, join := range map[string]func(ctx context.Context, child asyncio.Coroutine[int]) error{
		"Gather": func(ctx context.Context, child asyncio.Coroutine[int]) error {
			_, err := asyncio.Gather(ctx, child)
			return err
		},
		"Map": func(ctx context.Context, child asyncio.Coroutine[int]) error {
			_, err := asyncio.Map(ctx, 1, slices.Values([]int{1}), func(ctx context.Context, _ int) (int, error) { return child(ctx) })
			return err
		},
		"Race": func(ctx context.Context, child asyncio.Coroutine[int]) error {
			_, err := asyncio.Race(ctx, child)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			reports := cyclesAmong(t, func(ctx context.Context, _ group) {
				var parent *asyncio.Task[asyncio.None]
				parent = asyncio.Go(ctx, func(ctx context.Context) error {
					return join(ctx, func(ctx context.Context) (int, error) {
						asyncio.CurrentTask(ctx).SetName("child")
						_, err := parent.Await(ctx)
						return 0, err
					})
				}, asyncio.Name("parent"))
			})
			wantCertain(t, reports, "parent waits for the 1 tasks of its group", "child waits for parent")
		})
	}
}

func TestCycle_ofAStart_isReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var l asyncio.Lock
		g.Go(func(ctx context.Context) error {
			return l.Do(ctx, func() error {
				return g.Start(ctx, func(ctx context.Context, ready func()) error {
					defer ready()
					return l.Do(ctx, func() error { return nil })
				}, asyncio.Name("server"))
			})
		}, asyncio.Name("starter"))
	})
	wantLikely(t, reports, []string{released("server")}, "starter waits for server", "server waits for a Lock held by starter")
}

func TestCycle_aNotifiedWaiterWantsTheLockOfWhoAwaitsIt_isReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var c asyncio.Condition
		waiter := g.Go(func(ctx context.Context) error {
			return c.Do(ctx, func() error { return c.Wait(ctx) })
		}, asyncio.Name("waiter"))
		g.Go(func(ctx context.Context) error {
			return c.Do(ctx, func() error {
				c.NotifyAll()
				_, err := waiter.Await(ctx)
				return err
			})
		}, asyncio.Name("notifier"))
	})
	wantLikely(t, reports, []string{released("waiter")}, "notifier waits for waiter", "waiter waits for a Lock held by notifier")
}

func TestCycle_whoHoldsAConditionsLockWaitsForItsWaiter_isReported(t *testing.T) {
	const unless = "waiter goes on if a task that does not hold the Condition's lock releases it"
	const notified = "waiter waits for a Condition to be notified, whose lock is held by owner"
	t.Run("by Await", func(t *testing.T) {
		var c asyncio.Condition
		reports := cyclesAmong(t, func(ctx context.Context, g group) {
			waiter := g.Go(func(ctx context.Context) error {
				return c.Do(ctx, func() error { return c.Wait(ctx) })
			}, asyncio.Name("waiter"))
			g.Go(func(ctx context.Context) error {
				asyncio.Sleep(ctx, time.Millisecond)
				return c.Do(ctx, func() error { _, err := waiter.Await(ctx); return err })
			}, asyncio.Name("owner"))
		})
		wantLikely(t, reports, []string{unless}, "owner waits for waiter", notified)
	})
	t.Run("by a Lock", func(t *testing.T) {
		var l asyncio.Lock
		var c asyncio.Condition
		reports := cyclesAmong(t, func(ctx context.Context, g group) {
			g.Go(func(ctx context.Context) error {
				return l.Do(ctx, func() error {
					return c.Do(ctx, func() error { return errors.Join(c.Wait(ctx), c.Wait(ctx)) })
				})
			}, asyncio.Name("waiter"))
			g.Go(func(ctx context.Context) error {
				asyncio.Sleep(ctx, time.Millisecond)
				if err := c.Do(ctx, c.NotifyAll); err != nil {
					return err
				}
				asyncio.Sleep(ctx, time.Millisecond)
				return c.Do(ctx, func() error { return l.Acquire(ctx) })
			}, asyncio.Name("owner"))
		})
		wantLikely(t, reports, []string{unless, released("owner")}, "owner waits for a Lock held by waiter", notified)
	})
}

// Any task may notify.
func TestCycle_ofTasksOneOfWhichWaitsForAConditionThatIsOpen_isNotInvented(t *testing.T) {
	var l asyncio.Lock
	var c asyncio.Condition
	wantNone(t, cyclesAmong(t, func(ctx context.Context, g group) {
		g.Go(func(ctx context.Context) error {
			return l.Do(ctx, func() error { return c.Do(ctx, func() error { return c.Wait(ctx) }) })
		})
		g.Go(lockBoth(new(asyncio.Lock), &l))
	}))
}

func wantNone(t *testing.T, reports []asyncio.ExceptionInfo) {
	t.Helper()
	if len(reports) > 0 {
		t.Errorf("a cycle is invented: %v", reports)
	}
}

// pass goes through the barriers, one after the other.
func pass(ctx context.Context, barriers ...*asyncio.Barrier) error {
	for _, b := range barriers {
		if _, err := b.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func comes(name string) string { return name + " goes on if another task comes to the Barrier" }

func TestCycle_aPartyWaitsForOneThatWaitsAtTheBarrier_isReportedFromTheSecondRoundOn(t *testing.T) {
	for _, rounds := range []int{0, 1} {
		t.Run(fmt.Sprint("rounds before: ", rounds), func(t *testing.T) {
			var l asyncio.Lock
			b := asyncio.NewBarrier(3)
			before := slices.Repeat([]*asyncio.Barrier{b}, rounds)
			reports := cyclesAmong(t, func(ctx context.Context, g group) {
				for _, name := range []string{"left", "right"} {
					g.Go(func(ctx context.Context) error {
						if err := pass(ctx, before...); err != nil {
							return err
						}
						return l.Do(ctx, func() error { return pass(ctx, b) })
					}, asyncio.Name(name))
				}
				g.Go(func(ctx context.Context) error { return pass(ctx, append(before, b)...) }, asyncio.Name("third"))
			})
			if rounds == 0 {
				wantNone(t, reports)
				return
			}
			var d *asyncio.DeadlockError
			if len(reports) != 1 || !errors.As(reports[0].Err, &d) || len(d.Tasks) != 2 {
				t.Fatalf("reports %v, want one on two tasks", reports)
			}
			wantText(t, reports[0].Message, "likely deadlock")
			inside, outside := "left", "right"
			if strings.HasPrefix(d.Tasks[0], "right waits for a Barrier") || strings.HasPrefix(d.Tasks[1], "right waits for a Barrier") {
				inside, outside = outside, inside
			}
			wantLikely(t, reports, []string{comes(inside), released(outside)},
				inside+" waits for a Barrier of 3, still without "+outside, outside+" waits for a Lock held by "+inside)
		})
	}
}

// The members are a group of their own, and as many as the barrier has parties.
func TestCycle_atABarrierForAGroup_isReportedInTheFirstRound(t *testing.T) {
	members := func(do ...func(context.Context) error) func(context.Context, group) {
		return func(ctx context.Context, g group) {
			g.Go(func(ctx context.Context) error {
				return asyncio.Group(ctx, func(ctx context.Context, g group) error {
					for i, fn := range do {
						g.Go(fn, asyncio.Name(fmt.Sprint("m", i)))
					}
					return nil
				})
			})
		}
	}
	t.Run("two barriers in different order", func(t *testing.T) {
		one, two := asyncio.NewBarrier(2), asyncio.NewBarrier(2)
		reports := cyclesAmong(t, members(
			func(ctx context.Context) error { return pass(ctx, one, two) },
			func(ctx context.Context) error { return pass(ctx, two, one) },
		))
		wantLikely(t, reports, []string{comes("m0"), comes("m1")},
			"m0 waits for a Barrier of 2, still without m1", "m1 waits for a Barrier of 2, still without m0")
	})
	for name, c := range map[string]struct {
		parties int
		late    time.Duration
		found   bool
	}{
		"a lock around it":                     {3, 0, true},
		"a lock that the others want later":    {3, 50 * time.Millisecond, true},
		"the group has more than it takes":     {2, 0, false},
		"the group has fewer than it takes":    {4, 0, false},
		"there are more than are looked after": {65, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			var l asyncio.Lock
			b := asyncio.NewBarrier(c.parties)
			locked := func(ctx context.Context) error {
				if l.Locked() {
					asyncio.Sleep(ctx, c.late)
				}
				return l.Do(ctx, func() error { return pass(ctx, b) })
			}
			do := slices.Repeat([]func(context.Context) error{locked}, 3)
			if c.parties > 64 {
				do = slices.Repeat(do, 22)[:c.parties]
			}
			reports := cyclesAmong(t, members(do...))
			if !c.found {
				wantNone(t, reports)
				return
			}
			if len(reports) != 1 {
				t.Fatalf("reports %v, want one", reports)
			}
			for _, part := range []string{"likely deadlock", " waits for a Barrier of 3, still without m", " waits for a Lock held by m"} {
				wantText(t, reports[0].Err.Error(), part)
			}
		})
	}
}

func TestCycle_ofTwoBarriersInDifferentOrder_isReportedFromTheSecondRoundOn(t *testing.T) {
	one, two := asyncio.NewBarrier(2), asyncio.NewBarrier(2)
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		g.Go(func(ctx context.Context) error { return pass(ctx, one, two, one, two) }, asyncio.Name("a"))
		g.Go(func(ctx context.Context) error { return pass(ctx, one, two, two, one) }, asyncio.Name("b"))
	})
	wantLikely(t, reports, []string{comes("a"), comes("b")},
		"a waits for a Barrier of 2, still without b", "b waits for a Barrier of 2, still without a")
}

func TestCycle_whoIsMissingAtABarrierAwaitsWhoWaitsThere_isReported(t *testing.T) {
	b := asyncio.NewBarrier(2)
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		first := g.Go(func(ctx context.Context) error { return pass(ctx, b, b) }, asyncio.Name("first"))
		g.Go(func(ctx context.Context) error {
			if err := pass(ctx, b); err != nil {
				return err
			}
			return asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.Go(func(ctx context.Context) error { _, err := first.Await(ctx); return err }, asyncio.Name("child"))
				return asyncio.Sleep(ctx, time.Millisecond)
			})
		}, asyncio.Name("second"))
	})
	wantLikely(t, reports, []string{comes("first")}, "first waits for a Barrier of 2, still without second",
		"second waits for the 1 tasks of its group", "child waits for first")
}

// In each of them one task waits at the barrier and has the lock for which another
// one waits, but it is not known whether that one is to come.
func TestCycle_atABarrierWhoseMissingPartiesAreNotKnown_isNotInvented(t *testing.T) {
	type member func(ctx context.Context, l *asyncio.Lock, b *asyncio.Barrier) error
	after := func(ctx context.Context, d time.Duration, b *asyncio.Barrier, do func() error) error {
		if err := pass(ctx, b); err != nil {
			return err
		}
		asyncio.Sleep(ctx, d)
		return do()
	}
	holder := func(ctx context.Context, l *asyncio.Lock, b *asyncio.Barrier) error {
		return after(ctx, 0, b, func() error {
			return l.Do(ctx, func() error { asyncio.Sleep(ctx, 2*time.Millisecond); return pass(ctx, b) })
		})
	}
	wants := func(ctx context.Context, l *asyncio.Lock, b *asyncio.Barrier) error {
		return after(ctx, time.Millisecond, b, func() error { return l.Acquire(ctx) })
	}
	slow := func(ctx context.Context, l *asyncio.Lock, b *asyncio.Barrier) error {
		return after(ctx, 0, b, func() error { return tick(ctx, time.Second) })
	}
	for name, c := range map[string]struct {
		parties int
		members []member
	}{
		"the one who is missing goes on": {2, []member{holder, slow, func(ctx context.Context, l *asyncio.Lock, _ *asyncio.Barrier) error {
			asyncio.Sleep(ctx, time.Millisecond)
			return l.Acquire(ctx)
		}}},
		"a party has ended": {3, []member{holder, wants, func(ctx context.Context, _ *asyncio.Lock, b *asyncio.Barrier) error {
			return pass(ctx, b)
		}}},
		"another task has come": {3, []member{holder, wants, slow, func(ctx context.Context, _ *asyncio.Lock, b *asyncio.Barrier) error {
			asyncio.Sleep(ctx, time.Millisecond)
			return pass(ctx, b)
		}}},
		"it was reset": {2, []member{holder, wants, func(ctx context.Context, _ *asyncio.Lock, b *asyncio.Barrier) error {
			asyncio.Sleep(ctx, time.Millisecond)
			b.Reset()
			return nil
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			var l asyncio.Lock
			b := asyncio.NewBarrier(c.parties)
			wantNone(t, cyclesAmong(t, func(ctx context.Context, g group) {
				for _, m := range c.members {
					g.Go(func(ctx context.Context) error { return m(ctx, &l, b) })
				}
			}))
		})
	}
}

// permits is a semaphore of either kind.
type permits interface {
	Acquire(ctx context.Context) error
	Release()
	Do(ctx context.Context, fn func() error) error
}

var unlessReleased = " goes on if a task that does not hold the Semaphore releases it"

func TestCycle_aTaskThatAcquiresItsOwnPermit_isReported(t *testing.T) {
	for name, s := range map[string]permits{"Semaphore": asyncio.NewSemaphore(1), "BoundedSemaphore": asyncio.NewBoundedSemaphore(1)} {
		t.Run(name, func(t *testing.T) {
			reports := cyclesAmong(t, func(ctx context.Context, g group) {
				g.Go(func(ctx context.Context) error {
					return s.Do(ctx, func() error { return s.Do(ctx, func() error { return nil }) })
				}, asyncio.Name("again"))
			})
			wantLikely(t, reports, []string{"again" + unlessReleased}, "again waits for a Semaphore held by again")
		})
	}
}

func TestCycle_ofSemaphores_needsAllHoldersToBeStuck(t *testing.T) {
	for name, third := range map[string]bool{"one goes on": false, "all are stuck": true} {
		t.Run(name, func(t *testing.T) {
			reports := cyclesAmong(t, func(ctx context.Context, g group) {
				s := asyncio.NewSemaphore(2)
				var l asyncio.Lock
				waits := func(ctx context.Context) error {
					return l.Do(ctx, func() error { until(ctx, s.Locked); return s.Do(ctx, func() error { return nil }) })
				}
				holds := func(ctx context.Context) error {
					return s.Do(ctx, func() error {
						until(ctx, l.Locked)
						return l.Do(ctx, func() error { return nil })
					})
				}
				g.Go(waits, asyncio.Name("waits"))
				g.Go(holds, asyncio.Name("one"))
				if third {
					g.Go(holds, asyncio.Name("two"))
				} else {
					g.Go(func(ctx context.Context) error { return s.Do(ctx, func() error { return tick(ctx, time.Second) }) })
				}
			})
			if !third {
				if len(reports) > 0 {
					t.Errorf("a cycle is invented: %v", reports)
				}
				return
			}
			var d *asyncio.DeadlockError
			if len(reports) != 1 || !errors.As(reports[0].Err, &d) || len(d.Tasks) != 3 {
				t.Fatalf("reports %v, want one with all three", reports)
			}
			wantText(t, d.Error(), "waits waits for a Semaphore held by ", "one waits for a Lock held by waits", "two waits for a Lock held by waits")
		})
	}
}

func TestCycle_ofPermitsWithoutDo_isFoundInDebugMode(t *testing.T) {
	again := func(s permits) func(ctx context.Context, g group) {
		return func(ctx context.Context, g group) {
			g.Go(func(ctx context.Context) error {
				s.Acquire(ctx)
				defer s.Release()
				s.Release()
				s.Acquire(ctx)
				if err := s.Acquire(ctx); err != nil {
					return err
				}
				s.Release()
				return nil
			}, asyncio.Name("again"))
		}
	}
	wantLikely(t, cyclesAmong(t, again(asyncio.NewSemaphore(1)), asyncio.WithDebug(true)),
		[]string{"again" + unlessReleased}, "again waits for a Semaphore held by again")
	wantLikely(t, cyclesAmong(t, again(asyncio.NewBoundedSemaphore(1)), asyncio.WithDebug(true)),
		[]string{"again" + unlessReleased}, "again waits for a Semaphore held by again")
	if reports := cyclesAmong(t, again(asyncio.NewSemaphore(1))); len(reports) > 0 {
		t.Errorf("who holds the permit is not known, but it is reported: %v", reports)
	}
}

func TestCycle_aMemberWaitsUnderATimeout_isLikelyAndSaysSo(t *testing.T) {
	for _, c := range []struct {
		unless string
		limit  func(ctx context.Context, wait func(ctx context.Context) error) error
	}{
		{"a goes on when its timeout comes, in 9.975s", func(ctx context.Context, wait func(ctx context.Context) error) error {
			return asyncio.Timeout(ctx, 10*time.Second, wait)
		}},
		{"a goes on when its timeout comes, in 4.975s", func(ctx context.Context, wait func(ctx context.Context) error) error {
			return asyncio.TimeoutScope(ctx, time.Hour, func(ctx context.Context, d *asyncio.Deadline) error {
				d.Reschedule(5 * time.Second)
				return wait(ctx)
			})
		}},
		{"a goes on if its context is cancelled", func(ctx context.Context, wait func(ctx context.Context) error) error {
			below, cancel := context.WithCancel(ctx)
			defer cancel()
			return wait(below)
		}},
		{"a goes on if its context is cancelled", func(ctx context.Context, wait func(ctx context.Context) error) error {
			below, cancel := asyncio.WithCancel(ctx)
			defer cancel(nil)
			return wait(below)
		}},
	} {
		t.Run(c.unless, func(t *testing.T) {
			reports := cyclesAmong(t, func(ctx context.Context, g group) {
				var a, b *asyncio.Task[asyncio.None]
				a = asyncio.Go(ctx, func(ctx context.Context) error {
					return c.limit(ctx, func(ctx context.Context) error { _, err := b.Await(ctx); return err })
				}, asyncio.Name("a"))
				b = asyncio.Go(ctx, func(ctx context.Context) error { _, err := a.Await(ctx); return err }, asyncio.Name("b"))
			})
			wantLikely(t, reports, []string{c.unless}, "a waits for b", "b waits for a")
		})
	}
}

func TestCycle_endedByATimeoutSoon_isNotReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var a, b asyncio.Lock
		g.Go(lockBoth(&a, &b))
		g.Go(func(ctx context.Context) error {
			err := asyncio.Timeout(ctx, 10*time.Millisecond, lockBoth(&b, &a))
			wantErr(t, "the timeout", err, context.DeadlineExceeded)
			return nil
		})
	})
	if len(reports) > 0 {
		t.Errorf("reports %v", reports)
	}
}

func TestCycle_ofWaits_isFoundIfNoFutureCanEndIt(t *testing.T) {
	waits := func(when asyncio.ReturnWhen, futures ...asyncio.AnyFuture) func(ctx context.Context, g group) {
		return func(ctx context.Context, g group) {
			var a, b *asyncio.Task[asyncio.None]
			a = asyncio.Go(ctx, func(ctx context.Context) error {
				_, _, err := asyncio.Wait(ctx, when, append(futures, asyncio.AnyFuture(b))...)
				return err
			}, asyncio.Name("a"))
			b = asyncio.Go(ctx, func(ctx context.Context) error { _, err := a.Await(ctx); return err }, asyncio.Name("b"))
		}
	}
	future := func(ctx context.Context) asyncio.AnyFuture { return newFuture[int](ctx) }
	wantCertain(t, cyclesAmong(t, waits(asyncio.AllCompleted)), "a waits for all of b", "b waits for a")
	wantCertain(t, cyclesAmong(t, waits(asyncio.FirstCompleted)), "a waits for the first of b", "b waits for a")
	wantCertain(t, cyclesAmong(t, func(ctx context.Context, g group) { waits(asyncio.AllCompleted, future(ctx))(ctx, g) }),
		"a waits for all of a Future[int], b", "b waits for a")
	if reports := cyclesAmong(t, func(ctx context.Context, g group) { waits(asyncio.FirstCompleted, future(ctx))(ctx, g) }); len(reports) > 0 {
		t.Errorf("the future may end the wait, but it is reported: %v", reports)
	}
}

func TestCycle_ofAsCompleted_isReported(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var a, b *asyncio.Task[asyncio.None]
		a = asyncio.Go(ctx, func(ctx context.Context) error {
			for _, err := range asyncio.AsCompleted(ctx, b) {
				return err
			}
			return nil
		}, asyncio.Name("a"))
		b = asyncio.Go(ctx, func(ctx context.Context) error { _, err := a.Await(ctx); return err }, asyncio.Name("b"))
	})
	wantCertain(t, reports, "a waits for the next of b", "b waits for a")
}

func TestCycle_ofASelect_isFoundIfNoCaseCanEndIt(t *testing.T) {
	var held asyncio.Lock
	selects := func(more ...asyncio.Case) func(ctx context.Context, g group) {
		return func(ctx context.Context, g group) {
			var a, b *asyncio.Task[asyncio.None]
			b = asyncio.Go(ctx, func(ctx context.Context) error {
				return held.Do(ctx, func() error { _, err := a.Await(ctx); return err })
			}, asyncio.Name("b"))
			a = asyncio.Go(ctx, func(ctx context.Context) error {
				_, err := asyncio.Select(ctx, append(more, b)...)
				return err
			}, asyncio.Name("a"))
		}
	}
	wantCertain(t, cyclesAmong(t, selects()), "a waits for b", "b waits for a")
	wantCertain(t, cyclesAmong(t, func(ctx context.Context, _ group) {
		var a *asyncio.Task[asyncio.None]
		b := asyncio.Go(ctx, func(ctx context.Context) error { asyncio.Yield(ctx); _, err := a.Await(ctx); return err }, asyncio.Name("b"))
		a = asyncio.Go(ctx, func(ctx context.Context) error { _, err := asyncio.Select(ctx, b); return err }, asyncio.Name("a")) // before b waits
	}), "a waits for b", "b waits for a")
	reports := cyclesAmong(t, selects(held.Acquiring()), fifo)
	wantLikely(t, reports, []string{released("a")}, "a waits for the first of: a Lock held by b; b", "b waits for a")
	reports = cyclesAmong(t, func(ctx context.Context, g group) {
		selects(asyncio.Go(ctx, func(ctx context.Context) error { return tick(ctx, time.Millisecond) }))(ctx, g)
	})
	if len(reports) > 0 {
		t.Errorf("a task that goes on may end the wait, but it is reported: %v", reports)
	}
	for _, other := range []asyncio.Case{
		&asyncio.Event{}, asyncio.NewQueue[int](0).Getting(), asyncio.Sleeping(time.Hour),
		asyncio.Receiving(make(chan int)), asyncio.NewSemaphore(0).Acquiring(),
	} {
		if reports := cyclesAmong(t, selects(other)); len(reports) > 0 {
			t.Errorf("%T may end the wait, but it is reported: %v", other, reports)
		}
	}
}

// Who holds the lock looks for a cycle only if somebody wants it.
func TestCycle_ofASelectOfALock_andAWaitOfItsHolder_isFound(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var lock asyncio.Lock
		var a *asyncio.Task[asyncio.None]
		asyncio.Go(ctx, func(ctx context.Context) error {
			return lock.Do(ctx, func() error {
				letWait(t, ctx)
				_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, a)
				return err
			})
		}, asyncio.Name("b"), asyncio.EagerStart(true))
		a = asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := asyncio.Select(ctx, lock.Acquiring())
			return err
		}, asyncio.Name("a"))
	})
	wantLikely(t, reports, []string{released("a")}, "a waits for a Lock held by b", "b waits for all of a")
}

func TestCycle_reported_thoseWhoComeToItLaterAreNot(t *testing.T) {
	var a, b asyncio.Lock
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		g.Go(lockBoth(&a, &b), asyncio.Name("left"))
		g.Go(lockBoth(&b, &a), asyncio.Name("right"))
		g.Go(func(ctx context.Context) error {
			asyncio.Sleep(ctx, 50*time.Millisecond)
			return a.Do(ctx, func() error { return nil })
		})
	})
	wantCycle(t, reports, "left waits for a Lock held by right", "right waits for a Lock held by left")
}

func TestCycle_aThousandChildrenWantTheLockOfTheirOwner_isOneReport(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var l asyncio.Lock
		g.Go(func(ctx context.Context) error {
			return l.Do(ctx, func() error {
				return asyncio.Group(ctx, func(ctx context.Context, g group) error {
					for i := range 1000 {
						g.Go(func(ctx context.Context) error {
							asyncio.Sleep(ctx, time.Duration(i/10)*time.Millisecond/2)
							return l.Do(ctx, func() error { return nil })
						})
					}
					return nil
				})
			})
		}, asyncio.Name("owner"))
	})
	var d *asyncio.DeadlockError
	if len(reports) != 1 || !errors.As(reports[0].Err, &d) {
		t.Fatalf("%d reports, want one: %v", len(reports), reports[:min(2, len(reports))])
	}
	lines := d.Tasks
	if n := len(lines); n > 20 || !strings.HasPrefix(lines[n-1], "and ") {
		t.Errorf("%d lines, the last of which is %q", n, lines[n-1])
	}
}

func TestCycle_theHandlerMayEndIt(t *testing.T) {
	var l asyncio.Lock
	reports := 0
	run(t, func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error { return tick(ctx, time.Second) })
		return l.Do(ctx, func() error {
			if err := l.Acquire(ctx); err != nil {
				return err
			}
			if now := asyncio.RunningLoop(ctx).Time(); now > 100*time.Millisecond {
				t.Errorf("ended at %v", now)
			}
			return nil
		})
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) { reports++; l.Release() }))
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
}

func TestCycle_ofLocksReleasedByOthers_isNone(t *testing.T) {
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		var l asyncio.Lock
		l.Acquire(ctx)
		asyncio.Go(ctx, func(ctx context.Context) error { l.Release(); return nil })
		l.Acquire(ctx)
	})
	if len(reports) > 0 {
		t.Errorf("reports %v", reports)
	}
}

func TestCycle_besideAHundredThousandTasksOfOneGroup_isReported(t *testing.T) {
	var never asyncio.Event
	others := 100_000
	if raceEnabled {
		others /= 10
	}
	reports := cyclesAmong(t, func(ctx context.Context, g group) {
		for range others {
			g.Go(never.Wait)
		}
		awaitEachOther(ctx, "a", "b")
	})
	wantCertain(t, reports, "a waits for b", "b waits for a")
}

func TestDeadlock_ofSemaphores_namesTheHolders(t *testing.T) {
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		s := asyncio.NewSemaphore(2)
		var never asyncio.Event
		for _, name := range []string{"one", "two"} {
			asyncio.Go(ctx, func(ctx context.Context) error {
				return s.Do(ctx, func() error { return never.Wait(ctx) })
			}, asyncio.Name(name), asyncio.EagerStart(true))
		}
		return s.Acquire(ctx)
	})
	wantText(t, report, "main waits for a Semaphore held by one, two (at ")
}

func TestSemaphore_Do_contendedOrNot_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		work := func() error { return asyncio.Yield(ctx) }
		other := func(ctx context.Context) error {
			for {
				if err := s.Do(ctx, func() error { return nil }); err != nil {
					return err
				}
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
			}
		}
		wantAllocs := func(what string) {
			if n := testing.AllocsPerRun(100, func() { s.Do(ctx, work) }); n > 0 {
				t.Errorf("%s: %v allocations", what, n)
			}
		}
		wantAllocs("uncontended")
		task := asyncio.Go(ctx, other)
		wantAllocs("contended")
		task.Cancel()
		return nil
	})
}
