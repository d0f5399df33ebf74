package asyncio_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// crowd counts how many are in it, and the most that were at once.
type crowd struct{ in, most int }

// stay is in the crowd for d.
func (c *crowd) stay(ctx context.Context, d time.Duration) error {
	c.in++
	c.most = max(c.most, c.in)
	defer func() { c.in-- }()
	return asyncio.Sleep(ctx, d)
}

func TestTaskGroup_SetLimit_atMostSoManyRun_inTheOrderOfTheirComing(t *testing.T) {
	for _, eager := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			var c crowd
			var order []int
			err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
				g.SetLimit(3)
				for i := range 10 {
					g.Go(func(ctx context.Context) error {
						order = append(order, i)
						return c.stay(ctx, time.Second)
					}, asyncio.EagerStart(eager))
				}
				return nil
			})
			if c.most != 3 || !slices.IsSorted(order) || len(order) != 10 {
				t.Errorf("%d at once, in the order %v", c.most, order)
			}
			if now := asyncio.RunningLoop(ctx).Time(); now != 4*time.Second {
				t.Errorf("it took %v, want 4s", now)
			}
			return err
		}, fifo)
	}
}

func TestTaskGroup_SetLimit_aTaskOfTheGroupMayStartOthers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ran := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.SetLimit(1)
			var grow func(depth int) func(context.Context) error
			grow = func(depth int) func(context.Context) error {
				return func(ctx context.Context) error {
					ran++
					if depth > 0 {
						g.Go(grow(depth - 1))
						g.Go(grow(depth - 1))
					}
					return asyncio.Yield(ctx)
				}
			}
			g.Go(grow(4))
			return nil
		})
		if ran != 31 {
			t.Errorf("%d tasks ran, want 31", ran)
		}
		return err
	})
}

func TestTaskGroup_SetLimit_whileTasksRun_higherLetsMoreStart_lowerHoldsAsTheyEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c crowd
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			add := func(n int) {
				for range n {
					g.Go(func(ctx context.Context) error { return c.stay(ctx, time.Minute) })
				}
			}
			want := func(n int) {
				t.Helper()
				letWait(t, ctx)
				if c.in != n {
					t.Errorf("%d run, want %d", c.in, n)
				}
			}
			add(2) // before there is a limit, they count all the same
			g.SetLimit(3)
			add(7)
			want(3)
			g.SetLimit(5)
			want(5)
			g.SetLimit(2)
			want(5)
			if err := asyncio.Sleep(ctx, time.Minute); err != nil {
				return err
			}
			want(2)
			return nil
		})
		if c.in != 0 || c.most != 5 {
			t.Errorf("%d are left, %d were at once", c.in, c.most)
		}
		return err
	})
}

func TestTaskGroup_SetLimit_cancelled_thoseInLineStartAndSeeIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		var c crowd
		seen := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.SetLimit(2)
			g.Go(fails(time.Second, boom))
			for range 5 {
				g.Go(func(ctx context.Context) error {
					err := c.stay(ctx, time.Hour)
					if errors.Is(err, context.Canceled) {
						seen++
					}
					return err
				})
			}
			return nil
		})
		if err != boom || seen != 5 || c.most > 2 {
			t.Errorf("got %v; %d saw the cancellation, %d ran at once", err, seen, c.most)
		}
		return nil
	})
}

func TestTaskGroup_TryGo_startsOnlyWhereThereIsRoom(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ran := 0
		count := func(ctx context.Context) error {
			ran++
			return asyncio.Sleep(ctx, time.Second)
		}
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			if !g.TryGo(count) {
				t.Error("refused without a limit")
			}
			g.SetLimit(2)
			if !g.TryGo(count) || g.TryGo(count) {
				t.Error("the limit of 2 does not hold")
			}
			g.Go(count) // has to wait
			err := asyncio.Sleep(ctx, 1500*time.Millisecond)
			if !g.TryGo(count) || g.TryGo(count) {
				t.Error("one of the two that ended was followed, and one place is free")
			}
			return err
		})
		if ran != 4 {
			t.Errorf("%d ran, want 4", ran)
		}
		return err
	})
}

func TestTaskGroup_Room_keepsAProducerFromRunningAhead(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var c crowd
		started := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.SetLimit(3)
			produce := func(ctx context.Context) error {
				for range 10 {
					if err := g.Room(ctx); err != nil {
						return err
					}
					started++
					g.Go(func(ctx context.Context) error {
						defer func() { started-- }()
						return c.stay(ctx, time.Second)
					})
					if started > 3 {
						t.Errorf("%d tasks are there at once", started)
					}
				}
				return nil
			}
			two := asyncio.Go(ctx, produce) // beside the group, and so not counted by it
			if err := produce(ctx); err != nil {
				return err
			}
			_, err := two.Await(ctx)
			return err
		})
		return err
	})
}

func TestTaskGroup_Room_cancelled_returnsTheCause_andWhoDoesNotUseItLeavesItToOthers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			if err := g.Room(ctx); err != nil {
				return err // there is no limit
			}
			g.SetLimit(1)
			g.Go(fails(time.Minute, nil))
			err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error { return g.Room(ctx) })
			wantTimeout(t, err, time.Second)
			told := 0
			for range 3 {
				asyncio.Go(ctx, func(ctx context.Context) error {
					err := g.Room(ctx)
					told++
					return err
				})
			}
			if err := asyncio.Sleep(ctx, 2*time.Minute); err != nil {
				return err
			}
			if told != 3 {
				t.Errorf("%d of 3 were told of the room", told)
			}
			g.Cancel()
			if err := g.Room(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("under a done context: %v", err)
			}
			return nil
		})
	})
}

func TestTaskGroup_Start_waitsForRoom_andCanBeCancelledThere(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.SetLimit(1)
			g.Go(fails(time.Minute, nil))
			serve := func(ctx context.Context, ready func()) error { ready(); return nil }
			err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error { return g.Start(ctx, serve) })
			wantTimeout(t, err, time.Second)
			err = g.Start(ctx, serve)
			if now := asyncio.RunningLoop(ctx).Time(); now != time.Minute {
				t.Errorf("started at %v", now)
			}
			return err
		})
	})
}

func TestTaskGroup_SetLimit_misuse_panics(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			mustPanic(t, "asyncio: TaskGroup.SetLimit: the limit is 0", func() { g.SetLimit(0) })
			mustPanic(t, "asyncio: TaskGroup.TryGo: nil function", func() { g.TryGo(nil) })
			elsewhere(func() { mustPanic(t, "TaskGroup.SetLimit", func() { g.SetLimit(1) }) })
			return nil
		})
	})
}

func TestTaskGroup_SetLimit_aTaskThatAwaitsOneInLine_isNamedInTheDeadlock(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group) error {
			g.SetLimit(1)
			g.Go(func(ctx context.Context) error { return g.Room(ctx) }, asyncio.Name("greedy"))
			return nil
		})
	}, asyncio.WithVirtualClock())
	var d *asyncio.DeadlockError
	if !errors.As(err, &d) || !strings.Contains(err.Error(), "greedy waits for room in a group, of which 1 tasks run and 0 wait") {
		t.Errorf("got %v", err)
	}
}
