package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestGather2To4_giveResultsOfDifferentTypesInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a2, b2, err2 := asyncio.Gather2(ctx, after(4, 1, nil), after(3, "two", nil))
		a3, b3, c3, err3 := asyncio.Gather3(ctx, after(4, 1, nil), after(3, "two", nil), after(2, 3.0, nil))
		a4, b4, c4, d4, err4 := asyncio.Gather4(ctx, after(4, 1, nil), after(3, "two", nil), after(2, 3.5, nil), after(1, true, nil))
		got := fmt.Sprint(a2, b2, " ", a3, b3, c3, " ", a4, b4, c4, d4)
		if want := fmt.Sprint(1, "two", " ", 1, "two", 3.0, " ", 1, "two", 3.5, true); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if at := asyncio.RunningLoop(ctx).Time(); at != 12 {
			t.Errorf("they took %v, so they were not beside one another", at)
		}
		return errors.Join(err2, err3, err4)
	})
}

// pitfall: 16
func TestGather2To4_theFirstError_cancelsTheOthersAndWaitsForThem(t *testing.T) {
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		ended := 0
		slow := func(ctx context.Context) (string, error) {
			asyncio.Sleep(ctx, time.Hour)
			asyncio.Shield(ctx, sleepFor(time.Hour))
			ended++
			return "late", nil
		}
		a2, b2, err := asyncio.Gather2(ctx, slow, after(1, 2, boom))
		wantErr(t, "Gather2", err, boom)
		a3, b3, c3, err := asyncio.Gather3(ctx, slow, after(1, 2, boom), slow)
		wantErr(t, "Gather3", err, boom)
		a4, b4, c4, d4, err := asyncio.Gather4(ctx, slow, slow, after(1, 2, boom), slow)
		wantErr(t, "Gather4", err, boom)
		if ended != 1+2+3 {
			t.Errorf("%d have ended", ended)
		}
		if a2+a3+c3+a4+b4+d4 != "" || b2+b3+c4 != 0 {
			t.Error("results beside an error")
		}
		return nil
	}, noReports(t))
}

func TestGather2To4_misuse_isRefusedBeforeAnythingIsStarted(t *testing.T) {
	run(t, func(ctx context.Context) error {
		fn := func(context.Context) (int, error) { t.Error("it was started"); return 1, nil }
		mustPanic(t, "asyncio: Gather2: nil function", func() { asyncio.Gather2[int, int](ctx, fn, nil) })
		mustPanic(t, "asyncio: Gather3: nil function", func() { asyncio.Gather3[int, int, int](ctx, fn, fn, nil) })
		mustPanic(t, "asyncio: Gather4: nil function", func() { asyncio.Gather4[int, int, int, int](ctx, nil, fn, fn, fn) })
		_, _, err := asyncio.Gather2(context.Background(), fn, fn)
		wantErr(t, "Gather2", err, asyncio.ErrNotOnLoop)
		_, _, _, err = asyncio.Gather3(context.Background(), fn, fn, fn)
		wantErr(t, "Gather3", err, asyncio.ErrNotOnLoop)
		_, _, _, _, err = asyncio.Gather4(context.Background(), fn, fn, fn, fn)
		wantErr(t, "Gather4", err, asyncio.ErrNotOnLoop)
		return asyncio.Yield(ctx)
	})
}
