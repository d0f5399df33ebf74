package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestMap_returnsTheResultsInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		delays := []int{5, 1, 4, 2, 3}
		got, err := asyncio.Map(ctx, 2, slices.Values(delays), func(ctx context.Context, d int) (string, error) {
			err := asyncio.Sleep(ctx, time.Duration(d)*time.Second)
			return fmt.Sprint("after ", d), err
		})
		if want := "after 5, after 1, after 4, after 2, after 3"; err != nil || strings.Join(got, ", ") != want {
			t.Errorf("got %v, %v", got, err)
		}
		none, err := asyncio.Map(ctx, 1, slices.Values([]int(nil)), func(context.Context, int) (int, error) { return 0, nil })
		if len(none) != 0 || err != nil {
			t.Errorf("of nothing: %v, %v", none, err)
		}
		return nil
	})
}

func TestMap_runsAtMostLimitAtOnce_andReadsNoFasterThanThat(t *testing.T) {
	run(t, func(ctx context.Context) error {
		running, most, read, done := 0, 0, 0, 0
		endless := func(yield func(int) bool) {
			for read < 20 {
				read++
				if ahead := read - done; ahead > 4 {
					t.Errorf("%d values were read and not done, want at most 3 and the one that waits", ahead)
				}
				if !yield(read) {
					return
				}
			}
		}
		_, err := asyncio.Map(ctx, 3, endless, func(ctx context.Context, i int) (int, error) {
			running++
			most = max(most, running)
			err := asyncio.Sleep(ctx, time.Duration(i%4)*time.Second)
			running--
			done++
			return i, err
		})
		if most != 3 || done != 20 {
			t.Errorf("%d ran at once, %d were done, want 3 and 20", most, done)
		}
		return err
	})
}

func TestMap_firstError_cancelsTheRestAndReadsNoMore(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		read, cancelled := 0, 0
		endless := func(yield func(int) bool) {
			for yield(read) {
				read++
			}
		}
		got, err := asyncio.Map(ctx, 3, endless, func(ctx context.Context, i int) (int, error) {
			if i == 1 {
				asyncio.Sleep(ctx, time.Second)
				return 0, boom
			}
			err := asyncio.Sleep(ctx, time.Hour)
			if err != nil {
				cancelled++
			}
			return i, err
		})
		if err != boom || got != nil || cancelled != 2 || read != 3 {
			t.Errorf("got %v, %v; %d cancelled, %d read", got, err, cancelled, read)
		}
		return nil
	})
}

func TestMap_cancelled_returnsTheCauseWhenAllHaveEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ended := 0
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			_, err := asyncio.Map(ctx, 2, slices.Values([]int{1, 2, 3}), func(ctx context.Context, i int) (int, error) {
				err := asyncio.Sleep(ctx, time.Hour)
				ended++
				return i, err
			})
			if ended != 2 {
				t.Errorf("%d calls had ended when Map returned, want 2", ended)
			}
			return err
		})
		wantTimeout(t, err, time.Second)
		return nil
	})
}

func TestMap_aPanicIsAnError_andAPanicOfTheSequenceGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := asyncio.Map(ctx, 2, slices.Values([]int{1, 2}), func(ctx context.Context, i int) (int, error) { panic("ouch") })
		var p *asyncio.PanicError
		if !errors.As(err, &p) || p.Value != "ouch" {
			t.Errorf("got %v", err)
		}
		ended := false
		mustPanic(t, "no more", func() {
			asyncio.Map(ctx, 2, func(yield func(int) bool) { yield(1); panic("no more") }, func(ctx context.Context, i int) (int, error) {
				err := asyncio.Sleep(ctx, time.Hour)
				ended = true
				return 0, err
			})
		})
		if !ended {
			t.Error("a call was left running")
		}
		return nil
	})
}

func TestMap_aLimitBelowOne_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := asyncio.Map(ctx, 0, slices.Values([]int{1}), func(ctx context.Context, i int) (int, error) { return 0, nil })
		if err == nil || !strings.Contains(err.Error(), "asyncio: Map: the limit is 0") {
			t.Errorf("got %v", err)
		}
		return nil
	})
}
