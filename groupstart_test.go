package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestGroupStart_returnsWhenTheTaskIsReady_andTheTaskGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		served := false
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			err := g.Start(ctx, func(ctx context.Context, ready func()) error {
				if err := asyncio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				ready()
				ready()
				err := asyncio.Sleep(ctx, time.Second)
				served = true
				return err
			})
			if d := loop.Time(); err != nil || d != time.Second || served {
				t.Errorf("Start returned %v after %v, served %v", err, d, served)
			}
			return nil
		})
		if !served {
			t.Error("the group did not wait for it")
		}
		return err
	})
}

func TestGroupStart_failsBeforeReady_isStartsErrorAndNotTheGroups(t *testing.T) {
	boom := errors.New("boom")
	for _, opts := range [][]asyncio.TaskOption{nil, {asyncio.EagerStart(true)}} {
		run(t, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for _, c := range []struct {
					fn   func(context.Context, func()) error
					want error
				}{
					{func(context.Context, func()) error { return boom }, boom},
					{func(ctx context.Context, _ func()) error { asyncio.Yield(ctx); return boom }, boom},
					{func(context.Context, func()) error { return nil }, asyncio.ErrNotReady},
				} {
					if err := g.Start(ctx, c.fn, opts...); !errors.Is(err, c.want) {
						t.Errorf("got %v, want %v", err, c.want)
					}
				}
				var p *asyncio.PanicError
				if err := g.Start(ctx, func(context.Context, func()) error { panic("oh") }, opts...); !errors.As(err, &p) {
					t.Errorf("got %v, want the panic", err)
				}
				return asyncio.Yield(ctx) // the group is not cancelled
			})
		})
	}
}

func TestGroupStart_failsAfterReady_isTheGroupsError(t *testing.T) {
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			if err := g.Start(ctx, func(_ context.Context, ready func()) error { ready(); return boom }); err != nil {
				t.Errorf("Start returned %v", err)
			}
			return asyncio.Sleep(ctx, time.Hour)
		})
		if err != boom {
			t.Errorf("the group returned %v", err)
		}
		return nil
	})
}

func TestGroupStart_starterCancelled_taskIsCancelledAndAwaited(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		end  error // of the task, once it is cancelled; nil: the cause
	}{{name: "ends"}, {"fails", boom}} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				loop := asyncio.RunningLoop(ctx)
				return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
					err := asyncio.Timeout(ctx, time.Second, func(short context.Context) error {
						return g.Start(short, func(ctx context.Context, _ func()) error {
							cause := asyncio.Sleep(ctx, time.Hour)
							asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
							if c.end != nil {
								return c.end
							}
							return cause
						})
					})
					want := c.end
					if want == nil {
						want = context.DeadlineExceeded
					}
					if d := loop.Time(); !errors.Is(err, want) || d != 2*time.Second {
						t.Errorf("got %v after %v, want %v", err, d, want)
					}
					return asyncio.Yield(ctx)
				})
			})
		})
	}
}

func TestGroupStart_readyDuringCancellation_failureIsNotLost(t *testing.T) {
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			err := asyncio.Timeout(ctx, time.Second, func(short context.Context) error {
				return g.Start(short, func(ctx context.Context, ready func()) error {
					asyncio.Sleep(ctx, time.Hour)
					ready() // too late
					return boom
				})
			})
			if err != boom {
				t.Errorf("Start returned %v", err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("the group returned %v as well", err)
		}
		return nil
	})
}

// The end of a task is that of its Start, if that is cancelled: a failure is returned once, and not by the group as well.
func TestGroupStart_cancelledBefore_taskSaysItIsReadyAndFails_isStartsFailure(t *testing.T) {
	stop, boom := errors.New("stop"), errors.New("boom")
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			below, cancel := asyncio.WithCancel(ctx)
			cancel(stop)
			err := g.Start(below, func(ctx context.Context, ready func()) error { ready(); return boom })
			if err != boom {
				t.Errorf("Start returns %v", err)
			}
			return nil
		})
	})
}

func TestGroupStart_misuse(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var ended *asyncio.TaskGroup
		asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			ended = g
			mustPanic(t, "TaskGroup.Start: nil function", func() { g.Start(ctx, nil) })
			if err := g.Start(context.Background(), func(context.Context, func()) error { return nil }); !errors.Is(err, asyncio.ErrNotOnLoop) {
				t.Errorf("without a loop: %v", err)
			}
			return nil
		})
		mustPanic(t, "the group has ended", func() { ended.Start(ctx, func(context.Context, func()) error { return nil }) })
		return nil
	})
}

func ExampleTaskGroup_Start() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			serve := func(ctx context.Context, ready func()) error {
				asyncio.Sleep(ctx, time.Second) // opens its port
				fmt.Println("listening")
				ready()
				return asyncio.Sleep(ctx, time.Second) // serves
			}
			if err := g.Start(ctx, serve); err != nil {
				return err
			}
			fmt.Println("the clients may come")
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// listening
	// the clients may come
}
