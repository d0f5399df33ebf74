package asyncio_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// anyQueue is what all queues can do.
type anyQueue interface {
	Put(ctx context.Context, v int) error
	Get(ctx context.Context) (int, error)
	TryPut(v int) error
	TryGet() (int, error)
	GetBatch(ctx context.Context, n int, within time.Duration) ([]int, error)
	Sender() *asyncio.QueueSender[int]
	Getting() *asyncio.QueueGet[int]
	Putting(v int) *asyncio.QueuePut[int]
	Len() int
	Empty() bool
	Full() bool
	Limit() int
	TaskDone()
	Join(ctx context.Context) error
	Shutdown(immediate bool)
	All(ctx context.Context) iter.Seq2[int, error]
	String() string
}

var queueKinds = map[string]func(limit int) anyQueue{
	"Queue":         func(limit int) anyQueue { return asyncio.NewQueue[int](limit) },
	"LifoQueue":     func(limit int) anyQueue { return asyncio.NewLifoQueue[int](limit) },
	"PriorityQueue": func(limit int) anyQueue { return asyncio.NewPriorityQueue[int](limit) },
}

// eachKind runs a test with each kind of queue.
func eachKind(t *testing.T, limit int, test func(t *testing.T, ctx context.Context, q anyQueue)) {
	for name, create := range queueKinds {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				test(t, ctx, create(limit))
				return nil
			})
		})
	}
}

// takeAll takes what is in the queue.
func takeAll(q anyQueue) []int {
	var items []int
	for {
		v, err := q.TryGet()
		if err != nil {
			return items
		}
		items = append(items, v)
	}
}

// conformance: queue-30
func TestLifoQueue_lastInFirstOut(t *testing.T) {
	q := asyncio.NewLifoQueue[int](3)
	for v := range 3 {
		q.TryPut(v)
	}
	if err := q.TryPut(3); err != asyncio.ErrQueueFull || !q.Full() || q.Limit() != 3 {
		t.Errorf("TryPut on a full queue: %v", err)
	}
	first, _ := q.TryGet()
	q.TryPut(7)
	if got := append([]int{first}, takeAll(q)...); !slices.Equal(got, []int{2, 7, 1, 0}) {
		t.Errorf("got %v", got)
	}
}

// conformance: queue-31
func TestPriorityQueue_leastFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := range 60 {
		q := asyncio.NewPriorityQueue[int](0)
		var want, got []int
		for i := range n {
			v := rnd.IntN(20)
			q.TryPut(v)
			want = append(want, v)
			if i%4 == 3 { // take now and then
				slices.Sort(want)
				if v, _ := q.TryGet(); v != want[0] {
					t.Fatalf("got %d, want %d", v, want[0])
				}
				want = want[1:]
			}
		}
		slices.Sort(want)
		if got = takeAll(q); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestPriorityQueue_equalItems_comeInTheOrderOfPut(t *testing.T) {
	type job struct{ urgency, number int }
	rnd := rand.New(rand.NewPCG(2, 2))
	q := asyncio.NewPriorityQueueFunc(0, func(a, b job) int { return cmp.Compare(a.urgency, b.urgency) })
	var got []job
	for i := range 1000 {
		q.TryPut(job{rnd.IntN(3), i})
		if i%3 == 0 {
			j, _ := q.TryGet()
			q.TryPut(job{j.urgency, i}) // back to the end of its equals
		}
	}
	for {
		j, err := q.TryGet()
		if err != nil {
			break
		}
		got = append(got, j)
	}
	if !slices.IsSortedFunc(got, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.urgency, b.urgency), cmp.Compare(a.number, b.number))
	}) || len(got) != 1000 {
		t.Errorf("got %v", got)
	}
}

// Who was woken takes what comes next when it runs, as asyncio's queues have it.
func TestQueueKinds_betterItemBeforeTheGetterRuns_isTheOneItGets(t *testing.T) {
	want := map[string]int{"Queue": 2, "LifoQueue": 1, "PriorityQueue": 1}
	for name, create := range queueKinds {
		run(t, func(ctx context.Context) error {
			q := create(0)
			got := asyncio.CreateTask(ctx, q.Get)
			letWait(t, ctx)
			q.TryPut(2)
			q.TryPut(1)
			if v, err := got.Await(ctx); v != want[name] || err != nil || q.Len() != 1 {
				t.Errorf("%s: got %d, %v, Len %d", name, v, err, q.Len())
			}
			return nil
		})
	}
}

// conformance: queue-33
func TestQueueKinds_join_waitsForEveryItemOfEveryWorker(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
		sum := 0
		for range 5 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				for {
					v, err := q.Get(ctx)
					if err != nil {
						return err
					}
					asyncio.Sleep(ctx, time.Duration(v)*time.Second)
					sum += v
					q.TaskDone()
				}
			})
		}
		for i := range 100 {
			q.TryPut(i)
		}
		if err := q.Join(ctx); err != nil || sum != 4950 {
			t.Errorf("Join: %v; sum %d, want 4950", err, sum)
		}
		if err := q.Join(ctx); err != nil {
			t.Errorf("a second Join: %v", err)
		}
	})
}

// Getters and putters that are cancelled at any moment, also between being woken
// and running, neither lose an item nor double it, and leave nobody in line.
//
// pitfall: 28
func TestQueueKinds_cancelledAtRandom_everyItemComesOutOnce(t *testing.T) {
	eachKind(t, 2, func(t *testing.T, ctx context.Context, q anyQueue) {
		rnd := rand.New(rand.NewPCG(3, 3))
		var put, got []int
		var tasks []*asyncio.Task[asyncio.None]
		for i := range 3000 {
			switch rnd.IntN(6) {
			case 0, 1:
				tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
					err := q.Put(ctx, i)
					if err == nil {
						put = append(put, i)
					}
					return err
				}))
			case 2, 3:
				tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
					v, err := q.Get(ctx)
					if err == nil {
						got = append(got, v)
					}
					return err
				}))
			case 4:
				tasks[max(0, len(tasks)-1-rnd.IntN(10))].Cancel()
			case 5:
				if rnd.IntN(2) == 0 {
					asyncio.Yield(ctx)
				} else if v, err := q.TryGet(); err == nil {
					got = append(got, v)
				}
			}
			if q.Len() > 2 {
				t.Fatalf("%d items in a queue for 2", q.Len())
			}
		}
		for _, task := range tasks {
			task.Cancel()
		}
		letWait(t, ctx)
		got = append(got, takeAll(q)...)
		slices.Sort(put)
		slices.Sort(got)
		if !slices.Equal(put, got) || len(put) < 100 {
			t.Errorf("%d items were put, %d came out", len(put), len(got))
		}
		if want := "a " + t.Name()[len("TestQueueKinds_cancelledAtRandom_everyItemComesOutOnce/"):] + " (0 of 2 items)"; q.String() != want {
			t.Errorf("left %v, want %s", q, want)
		}
		if q.TryPut(1) != nil || q.TryPut(2) != nil || q.TryPut(3) != asyncio.ErrQueueFull {
			t.Error("room was lost or won")
		}
	})
}

func TestQueueKinds_all_breakingOut_leavesTheRestToOthers(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
		for i := range 5 {
			q.TryPut(i)
		}
		var got []int
		for range 2 {
			for v, err := range q.All(ctx) {
				if err != nil {
					t.Error(err)
				}
				got = append(got, v)
				if len(got)%2 == 0 {
					break
				}
			}
		}
		if got = append(got, takeAll(q)...); len(got) != 5 {
			t.Errorf("got %v", got)
		}
		if slices.Sort(got); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestQueueKinds_all_cancelled_yieldsTheCauseOnce(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
		q.TryPut(7)
		var seen []string
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			for v, err := range q.All(ctx) {
				seen = append(seen, fmt.Sprint(v, err))
			}
			return nil
		})
		if fmt.Sprint(seen) != "[7 <nil> 0 asyncio: timed out after 1s]" || err != nil {
			t.Errorf("saw %v, then %v", seen, err)
		}
		q.TryPut(8)
		cancelled, cancel := asyncio.WithCancel(ctx)
		cancel(asyncio.ErrQueueShutDown) // of another queue
		for v, err := range q.All(cancelled) {
			if v != 0 || err != asyncio.ErrQueueShutDown {
				t.Errorf("under a done context: %d, %v", v, err)
			}
			seen = nil
		}
		if seen != nil || q.Len() != 1 {
			t.Errorf("All was silent about its context's end, Len %d", q.Len())
		}
	})
}

// All and TaskDone together are how workers drain a queue.
func TestQueueKinds_all_withTaskDone_drainsTheQueue(t *testing.T) {
	eachKind(t, 2, func(t *testing.T, ctx context.Context, q anyQueue) {
		sum := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 3 {
				g.Go(func(ctx context.Context) error {
					for v, err := range q.All(ctx) {
						if err != nil {
							return err
						}
						asyncio.Sleep(ctx, time.Second)
						sum += v
						q.TaskDone()
					}
					return nil
				})
			}
			for i := range 10 {
				if err := q.Put(ctx, i); err != nil {
					return err
				}
			}
			q.Shutdown(false)
			return q.Join(ctx)
		})
		if err != nil || sum != 45 {
			t.Errorf("sum %d, %v", sum, err)
		}
	})
}

func TestQueueKinds_misuse(t *testing.T) {
	mustPanic(t, "asyncio: NewQueue: the limit is -1", func() { asyncio.NewQueue[int](-1) })
	mustPanic(t, "asyncio: NewLifoQueue: the limit is -1", func() { asyncio.NewLifoQueue[int](-1) })
	mustPanic(t, "asyncio: NewPriorityQueue: the limit is -2", func() { asyncio.NewPriorityQueue[int](-2) })
	mustPanic(t, "asyncio: NewPriorityQueueFunc: the limit is -1", func() { asyncio.NewPriorityQueueFunc(-1, cmp.Compare[int]) })
	mustPanic(t, "asyncio: NewPriorityQueueFunc: nil function", func() { asyncio.NewPriorityQueueFunc[int](0, nil) })
	for name, create := range queueKinds {
		run(t, func(ctx context.Context) error {
			q := create(0)
			mustPanic(t, "asyncio: "+name+".TaskDone: called more often than items were put", q.TaskDone)
			q.Put(ctx, 1)
			elsewhere(func() {
				for method, call := range map[string]func(){
					"TryPut":   func() { q.TryPut(1) },
					"TryGet":   func() { q.TryGet() },
					"TaskDone": q.TaskDone,
					"Shutdown": func() { q.Shutdown(true) },
				} {
					mustPanic(t, "asyncio: "+name+"."+method+": asyncio: called from a goroutine that is not", call)
				}
				for v, err := range q.All(ctx) {
					if v != 0 || !errors.Is(err, asyncio.ErrWrongGoroutine) {
						t.Errorf("%s.All elsewhere: %d, %v", name, v, err)
					}
				}
			})
			if q.Len() != 1 || q.Empty() || q.Full() || q.Limit() != 0 {
				t.Errorf("after the misuse: %v", q)
			}
			return nil
		})
	}
}

func TestQueueKinds_deadlock_namesTheKind(t *testing.T) {
	for name, create := range queueKinds {
		var dead *asyncio.DeadlockError
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			q := create(1)
			q.TryPut(1)
			asyncio.Go(ctx, func(ctx context.Context) error { return q.Put(ctx, 2) })
			asyncio.Go(ctx, q.Join)
			_, err := create(0).Get(ctx)
			return err
		})
		if !errors.As(err, &dead) || len(dead.Tasks) != 3 {
			t.Fatalf("%s: %v", name, err)
		}
		for i, want := range []string{"an item of a " + name, "room in a " + name, "the items of a " + name + " to be done"} {
			if !strings.Contains(dead.Tasks[i], " waits for "+want) {
				t.Errorf("%s: %q, want %q", name, dead.Tasks[i], want)
			}
		}
	}
}

func TestQueueKinds_allocateNothing(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, ctx context.Context, q anyQueue) {
		for i := range 8 {
			q.TryPut(i)
		}
		allocates(t, "put and get", 0, func() {
			q.Put(ctx, 1)
			q.Get(ctx)
		})
		takeAll(q)
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := q.Get(ctx); err != nil {
					return err
				}
			}
		})
		allocates(t, "a hand-over", 0, func() {
			q.Put(ctx, 1)
			asyncio.Yield(ctx)
		})
		other.Cancel()
	})
}
