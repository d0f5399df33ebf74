package asyncio_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-asyncio/asyncio"
)

// clocks are those that a loop can have in a bubble.
var clocks = map[string][]asyncio.Option{"the bubble's clock": nil, "a virtual clock": {asyncio.WithVirtualClock()}}

func TestSynctest_aLoopRunsInABubble(t *testing.T) {
	for name, opts := range clocks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var order []string
				err := asyncio.Run(t.Context(), func(ctx context.Context) error {
					return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
						for _, name := range []string{"b", "a"} {
							g.Go(func(ctx context.Context) error {
								err := asyncio.Sleep(ctx, time.Hour)
								order = append(order, name)
								return err
							})
						}
						err := asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("Timeout: %v", err)
						}
						return nil
					})
				}, append(opts, fifo)...)
				if want := []string{"b", "a"}; err != nil || !slices.Equal(order, want) {
					t.Errorf("got %v, order %v", err, order)
				}
			})
		})
	}
}

func TestSynctest_theLoopsTimeIsTheBubbles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := asyncio.Run(t.Context(), func(ctx context.Context) error {
			asyncio.Sleep(ctx, 24*time.Hour)
			if d := time.Since(start); d != 24*time.Hour {
				t.Errorf("Sleep: the bubble's clock says %v", d)
			}
			standard, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if err := asyncio.Sleep(standard, 2*time.Hour); err != context.DeadlineExceeded || time.Since(start) != 25*time.Hour {
				t.Errorf("a standard timeout: %v, after %v", err, time.Since(start))
			}
			if _, err := asyncio.ToThread(ctx, func() (int, error) { time.Sleep(time.Hour); return 0, nil }); err != nil || time.Since(start) != 26*time.Hour {
				t.Errorf("a thread that sleeps: %v, after %v", err, time.Since(start))
			}
			ch := make(chan int)
			go func() { time.Sleep(time.Hour); ch <- 7 }()
			if v, _, err := asyncio.Recv(ctx, ch); v != 7 || err != nil || time.Since(start) != 27*time.Hour {
				t.Errorf("a goroutine that sends: %v, %v, after %v", v, err, time.Since(start))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSynctest_deadlocksAndFailures_areReported(t *testing.T) {
	for name, opts := range clocks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reported []string
				err := asyncio.Run(context.Background(), func(ctx context.Context) error {
					asyncio.Go(ctx, func(ctx context.Context) error { return errors.New("boom") })
					asyncio.Sleep(ctx, time.Hour)
					return new(asyncio.Event).Wait(ctx)
				}, append(opts, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reported = append(reported, info.Err.Error()) }))...)
				if d := (*asyncio.DeadlockError)(nil); !errors.As(err, &d) {
					t.Errorf("got %v, want a DeadlockError", err)
				}
				if !slices.Equal(reported, []string{"boom"}) {
					t.Errorf("reported: %q", reported)
				}
			})
		})
	}
}

func TestSynctest_whatCannotWork_isAnError(t *testing.T) {
	outside, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	main := func(context.Context) error { return nil }
	synctest.Test(t, func(t *testing.T) {
		wantText(t, outside.Run(t.Context(), main).Error(), "made outside of the synctest bubble")
		wantText(t, outside.RunForever(t.Context()).Error(), "made outside of the synctest bubble")
		err := asyncio.Run(t.Context(), func(ctx context.Context) error {
			return asyncio.RunningLoop(ctx).AddSignalHandler(os.Interrupt, func(os.Signal) {})
		})
		wantText(t, err.Error(), "in a synctest bubble there are no signals")
	})
	if err := outside.Run(t.Context(), main); err != nil {
		t.Errorf("where it was made: %v", err)
	}
}
