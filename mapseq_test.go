package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// seconds sleeps n seconds and returns n; from 100 on it fails.
func seconds(ctx context.Context, n int) (int, error) {
	if n >= 100 {
		return 0, fmt.Errorf("no %d", n)
	}
	return n, asyncio.Sleep(ctx, time.Duration(n)*time.Second)
}

// listed returns what a stream gives, errors in words.
func listed[T any](ctx context.Context, s asyncio.Stream[T]) string {
	var all []string
	for v, err := range s(ctx) {
		if err != nil {
			all = append(all, err.Error())
		} else {
			all = append(all, fmt.Sprint(v))
		}
	}
	return strings.Join(all, ", ")
}

func TestMapSeq_givesResultsInOrder_orAsTheyCome(t *testing.T) {
	run(t, func(ctx context.Context) error {
		delays := asyncio.StreamOf(slices.Values([]int{5, 1, 100, 4, 2}))
		if got := listed(ctx, asyncio.MapSeq(3, delays, seconds)); got != "5, 1, no 100, 4, 2" {
			t.Errorf("in order: %s", got)
		}
		if got := listed(ctx, asyncio.MapAsCompleted(3, delays, seconds)); got != "no 100, 1, 2, 4, 5" {
			t.Errorf("as they come: %s", got)
		}
		if got := listed(ctx, asyncio.MapSeq(3, asyncio.StreamOf(slices.Values([]int(nil))), seconds)); got != "" {
			t.Errorf("of nothing: %s", got)
		}
		return nil
	})
}

func TestMapSeq_givesWhatIsDone_whileTheSourceWaits(t *testing.T) {
	for _, mapped := range []func(int, asyncio.Stream[int], func(context.Context, int) (int, error)) asyncio.Stream[int]{
		asyncio.MapSeq[int, int], asyncio.MapAsCompleted[int, int],
	} {
		run(t, func(ctx context.Context) error {
			q := asyncio.NewQueue[int](0)
			q.TryPut(3)
			var got []int
			for n, err := range mapped(2, q.All, seconds)(ctx) {
				if err != nil {
					return err
				}
				got = append(got, n)
				if n == 0 {
					q.Shutdown(false)
				} else {
					q.TryPut(n - 1) // who consumes feeds the source
				}
			}
			if fmt.Sprint(got) != "[3 2 1 0]" {
				t.Errorf("got %v", got)
			}
			return nil
		})
	}
}

func TestMapSeq_atMostLimitAreInWorkOrUnread_alsoThroughStages(t *testing.T) {
	run(t, func(ctx context.Context) error {
		read, taken := 0, 0
		numbers := asyncio.StreamOf(func(yield func(int) bool) {
			for read < 30 {
				read++
				if ahead := read - taken; ahead > 3+2+1 {
					t.Errorf("%d were read and not taken; room is for 3 and 2, and one is handed over", ahead)
				}
				if !yield(read) {
					return
				}
			}
		})
		quick := func(ctx context.Context, n int) (int, error) { return n, asyncio.Yield(ctx) }
		stages := asyncio.MapSeq(2, asyncio.MapAsCompleted(3, numbers, quick), quick)
		for _, err := range stages(ctx) {
			if err != nil {
				return err
			}
			taken++
			if err := asyncio.Sleep(ctx, time.Second); err != nil { // everybody else gets as far as possible
				return err
			}
		}
		if taken != 30 {
			t.Errorf("%d were taken, want 30", taken)
		}
		return nil
	})
}

func TestMapSeq_break_cancelsWhatIsInWorkAndTheReading_andWaits(t *testing.T) {
	var reports []string
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		for n := range 5 {
			q.TryPut(n)
		}
		ended, broke := 0, false
		work := func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				return n, asyncio.Sleep(ctx, time.Second)
			}
			err := asyncio.Sleep(ctx, time.Hour)
			if !broke {
				t.Error("a call ended before the break")
			}
			ended++
			if n == 1 {
				return n, errors.New("could not clean up")
			}
			return n, err
		}
		for n, err := range asyncio.MapSeq(3, q.All, work)(ctx) {
			if n != 0 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			broke = true
			break
		}
		if ended != 2 || q.Len() < 1 || q.Len() > 2 {
			t.Errorf("%d calls had ended, %d items are left", ended, q.Len())
		}
		return nil
	}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reports = append(reports, info.Err.Error()) }))
	if len(reports) != 1 || reports[0] != "could not clean up" {
		t.Errorf("reported %q", reports)
	}
}

func TestMapSeq_cancelled_theErrorsSaySo_andTheRangeEnds(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, source := range []asyncio.Stream[int]{
			asyncio.NewQueue[int](0).All, // waits for ever
			asyncio.StreamOf(slices.Values([]int{50, 60, 70})),
			asyncio.StreamOf(slices.Values([]int{0, 0, 0, 0})), // done, but not taken
		} {
			failed := 0
			err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
				var last error
				for _, err := range asyncio.MapSeq(2, source, seconds)(ctx) {
					if asyncio.Sleep(ctx, time.Minute); err != nil {
						failed++
						last = err
					}
				}
				return last
			})
			wantTimeout(t, err, time.Second)
			if failed < 1 || failed > 3 {
				t.Errorf("%d errors", failed)
			}
		}
		return nil
	})
}

func TestMapSeq_aPanicOfTheSource_isAnErrorAtTheEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		source := asyncio.StreamOf(func(yield func(int) bool) { yield(1); panic("no more") })
		var p *asyncio.PanicError
		given := 0
		for n, err := range asyncio.MapSeq(2, source, seconds)(ctx) {
			if given++; given == 1 && (n != 1 || err != nil) || given == 2 && !errors.As(err, &p) {
				t.Errorf("got %d, %v", n, err)
			}
		}
		if given != 2 || p.Value != "no more" {
			t.Errorf("%d results, the last a panic %v", given, p)
		}
		return nil
	})
}

func TestMapSeq_errorsOfTheSource_comeInTheirPlace(t *testing.T) {
	run(t, func(ctx context.Context) error {
		source := func(context.Context) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				_ = yield(1, nil) && yield(0, errors.New("unreadable")) && yield(2, nil)
			}
		}
		if got := listed(ctx, asyncio.MapSeq(2, source, seconds)); got != "1, unreadable, 2" {
			t.Errorf("got %s", got)
		}
		return nil
	})
}

func TestMapSeq_misuse(t *testing.T) {
	none := asyncio.StreamOf(slices.Values([]int(nil)))
	mustPanic(t, "asyncio: MapSeq: the limit is 0", func() { asyncio.MapSeq(0, none, seconds) })
	mustPanic(t, "asyncio: MapAsCompleted: nil Stream", func() { asyncio.MapAsCompleted[int, int](1, nil, seconds) })
	mustPanic(t, "asyncio: StreamOf: nil sequence", func() { asyncio.StreamOf[int](nil) })
	for _, err := range asyncio.MapSeq(1, none, seconds)(context.Background()) {
		if !errors.Is(err, asyncio.ErrNotOnLoop) {
			t.Errorf("a context that is not ours: %v", err)
		}
	}
}

func TestMapResults_keepsEveryOutcome_inOrder_andCancelsNone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		results, err := asyncio.MapResults(ctx, 2, slices.Values([]int{3, 100, 1, 101, 2}), seconds)
		if got := fmt.Sprint(results); err != nil || got != "[{3 <nil>} {0 no 100} {1 <nil>} {0 no 101} {2 <nil>}]" {
			t.Errorf("got %v, %v", got, err)
		}
		results, err = asyncio.MapResults(ctx, 2, slices.Values([]int(nil)), seconds)
		if results == nil || len(results) != 0 || err != nil {
			t.Errorf("of nothing: %v, %v", results, err)
		}
		_, err = asyncio.MapResults(ctx, 0, slices.Values([]int{1}), seconds)
		if err == nil || !strings.Contains(err.Error(), "asyncio: MapResults: the limit is 0") {
			t.Errorf("got %v", err)
		}
		_, err = asyncio.MapResults(context.Background(), 1, slices.Values([]int{1}), seconds)
		if !errors.Is(err, asyncio.ErrNotOnLoop) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestMapResults_cancelled_hasTheOutcomesOfTheCallsThatWereMade(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var results []asyncio.Result[int]
		err := asyncio.Timeout(ctx, 90*time.Second, func(ctx context.Context) (err error) {
			results, err = asyncio.MapResults(ctx, 2, slices.Values([]int{50, 60, 70, 80, 90}), seconds)
			return err
		})
		wantTimeout(t, err, 90*time.Second)
		if len(results) != 4 || results[0].Err != nil || results[1].Err != nil {
			t.Errorf("got %v", results)
			return nil
		}
		wantTimeout(t, results[2].Err, 90*time.Second)
		wantTimeout(t, results[3].Err, 90*time.Second)
		return nil
	})
}
