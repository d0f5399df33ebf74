package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// Between two waits a task has the loop to itself. A Lock is for what must hold
// across a wait.
func ExampleLock() {
	balance := 100
	var lock asyncio.Lock
	withdraw := func(ctx context.Context) (string, error) {
		answer := "not enough"
		err := lock.Do(ctx, func() error {
			if balance < 80 {
				return nil
			}
			asyncio.Sleep(ctx, time.Millisecond) // ask the bank
			balance -= 80
			answer = "here you are"
			return nil
		})
		return answer, err
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		answers, err := asyncio.Gather(ctx, withdraw, withdraw)
		fmt.Println(answers, balance)
		return err
	})
	// Output: [here you are not enough] 20
}

func ExampleEvent() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var ready asyncio.Event
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for _, name := range []string{"a", "b"} {
				g.Go(func(ctx context.Context) error {
					err := ready.Wait(ctx)
					fmt.Println(name, "goes on")
					return err
				})
			}
			asyncio.Sleep(ctx, time.Millisecond)
			fmt.Println("ready")
			ready.Set()
			return nil
		})
	})
	// Output:
	// ready
	// a goes on
	// b goes on
}

// At most two of five at a time.
func ExampleSemaphore() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		room := asyncio.NewSemaphore(2)
		inside, most := 0, 0
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 5 {
				g.Go(func(ctx context.Context) error {
					if err := room.Acquire(ctx); err != nil {
						return err
					}
					defer room.Release()
					inside++
					most = max(most, inside)
					err := asyncio.Sleep(ctx, time.Millisecond)
					inside--
					return err
				})
			}
			return nil
		})
		fmt.Println("at most", most)
		return err
	})
	// Output: at most 2
}

// Workers take from one queue; Join waits until all that was put is done.
func ExampleQueue() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		jobs := asyncio.NewQueue[int](2)
		sum := 0
		for range 3 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				for {
					n, err := jobs.Get(ctx)
					if err != nil {
						return err // cancelled when main returns
					}
					asyncio.Sleep(ctx, time.Millisecond)
					sum += n
					jobs.TaskDone()
				}
			})
		}
		for n := range 10 {
			if err := jobs.Put(ctx, n); err != nil { // waits while two are waiting
				return err
			}
		}
		err := jobs.Join(ctx)
		fmt.Println(sum)
		return err
	})
	// Output: 45
}

// A WaitQueue is what waiting is made of. This is a latch that opens when it
// has been counted down.
func ExampleWaitQueue() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var latch latch
		latch.count = 2
		asyncio.RunningLoop(ctx).CallSoon(latch.Down)
		asyncio.RunningLoop(ctx).CallLater(time.Millisecond, latch.Down)
		err := latch.Wait(ctx)
		fmt.Println("open:", latch.count == 0)
		return err
	})
	// Output: open: true
}

type latch struct {
	queue lowlevel.WaitQueue
	count int
}

func (l *latch) Wait(ctx context.Context) error {
	if l.count == 0 {
		return nil
	}
	return l.queue.Wait(ctx, l)
}

func (l *latch) Down() {
	if l.count--; l.count == 0 {
		l.queue.WakeAll()
	}
}

func (l *latch) WaitName() string { return fmt.Sprintf("a latch (%d to go)", l.count) }

func ExampleMap() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		names := slices.Values([]string{"a", "bb", "ccc"})
		lengths, err := asyncio.Map(ctx, 2, names, func(ctx context.Context, name string) (int, error) {
			return len(name), asyncio.Sleep(ctx, time.Millisecond)
		})
		fmt.Println(lengths)
		return err
	})
	// Output: [1 2 3]
}

func ExampleToThread() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		n, err := asyncio.ToThread(ctx, func() (int, error) {
			time.Sleep(time.Millisecond) // something that blocks
			return 42, nil
		})
		fmt.Println(n)
		return err
	})
	// Output: 42
}

// A goroutine asks the loop for something and waits for the answer.
func ExampleRunThreadsafe() {
	loops, done := make(chan *asyncio.Loop), make(chan bool)
	go func() {
		defer close(done)
		answer, err := asyncio.RunThreadsafe(<-loops, func(ctx context.Context) (string, error) {
			return "from the loop", asyncio.Sleep(ctx, time.Millisecond)
		}).Wait(context.Background())
		fmt.Println(answer, err)
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		loops <- asyncio.RunningLoop(ctx)
		_, err := asyncio.ToThread(ctx, func() (bool, error) { return <-done, nil })
		return err
	})
	// Output: from the loop <nil>
}

// A Timer can be armed again and again: here it reports silence.
func ExampleTimer() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var silence asyncio.Timer
		silence.Init(asyncio.RunningLoop(ctx), func() { fmt.Println("silence") })
		for range 3 {
			silence.Reset(time.Minute) // heard something
			asyncio.Sleep(ctx, 30*time.Second)
		}
		return asyncio.Sleep(ctx, 30*time.Second)
	}, asyncio.WithVirtualClock())
	// Output: silence
}

// The work takes longer than the second between two ticks: the next one comes at
// once, and then they are on time again.
func ExampleTicker() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		start := asyncio.Now(ctx)
		for now, err := range asyncio.NewTicker(ctx, time.Second).All(ctx) {
			if err != nil {
				return err
			}
			fmt.Println("tick after", now.Sub(start))
			switch now.Sub(start) {
			case 2 * time.Second:
				asyncio.Sleep(ctx, 1500*time.Millisecond)
			case 5 * time.Second:
				return nil
			}
		}
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// tick after 1s
	// tick after 2s
	// tick after 3.5s
	// tick after 4s
	// tick after 5s
}

func ExampleEvery() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
			return asyncio.Every(ctx, 25*time.Minute, func(ctx context.Context) error {
				fmt.Println("still alive after", asyncio.RunningLoop(ctx).Time())
				return nil
			})
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// still alive after 25m0s
	// still alive after 50m0s
}

// A hundred tasks want the same page; it is fetched once.
func ExampleSingleFlight() {
	var pages asyncio.SingleFlight[string, string]
	fetches := 0
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page := func(ctx context.Context) error {
			_, _, err := pages.Do(ctx, "/index", func(ctx context.Context) (string, error) {
				fetches++
				return "the page", asyncio.Sleep(ctx, time.Second)
			})
			return err
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 100 {
				g.Go(page)
			}
			return nil
		})
	}, asyncio.WithVirtualClock())
	fmt.Println(fetches, "fetch")
	// Output: 1 fetch
}

// A chat: everybody gets each message, and the one who is slow hears of what it
// has missed.
func ExampleBroadcast() {
	chat := asyncio.NewBroadcast[string](2)
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		reader := func(name string, pause time.Duration) func(ctx context.Context) error {
			messages := chat.Subscribe()
			return func(ctx context.Context) error {
				for text, err := range messages.All(ctx) {
					var lagged *asyncio.LaggedError
					switch {
					case errors.As(err, &lagged):
						fmt.Println(name, "has missed", lagged.Lost)
					case err != nil:
						return err
					default:
						fmt.Println(name, "reads", text)
						asyncio.Sleep(ctx, pause)
					}
				}
				return nil
			}
		}
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(reader("Ada", 0))
			g.Go(reader("Bob", time.Minute))
			for _, text := range []string{"one", "two", "three", "four"} {
				asyncio.Sleep(ctx, time.Second)
				chat.Send(text)
			}
			chat.Close()
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// Ada reads one
	// Bob reads one
	// Ada reads two
	// Ada reads three
	// Ada reads four
	// Bob has missed 1
	// Bob reads three
	// Bob reads four
}

// A worker follows a setting. It sees the last one only.
func ExampleWatch() {
	limit := asyncio.NewWatch(10)
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(ctx context.Context) error {
				for n, err := range limit.Subscribe().All(ctx) {
					if err != nil {
						return err
					}
					fmt.Println("the limit is", n)
				}
				return nil
			})
			asyncio.Sleep(ctx, time.Second)
			limit.Set(20)
			limit.Set(30)
			asyncio.Sleep(ctx, time.Second)
			limit.Close()
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// the limit is 10
	// the limit is 30
}

// Ten megabytes may be in work at a time. The large file is not kept waiting for ever
// by small ones that come after it.
func ExampleSemaphore_AcquireN() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		megabytes := asyncio.NewSemaphore(10)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for _, size := range []int{4, 9, 1} {
				g.Go(func(ctx context.Context) error {
					if err := megabytes.AcquireN(ctx, size); err != nil {
						return err
					}
					defer megabytes.ReleaseN(size)
					fmt.Println(size, "MB at", asyncio.RunningLoop(ctx).Time())
					return asyncio.Sleep(ctx, time.Second)
				})
			}
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// 4 MB at 0s
	// 9 MB at 1s
	// 1 MB at 1s
}
