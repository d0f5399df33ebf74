package aionet_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func TestSelect_aConnectionThatIsReadable_takesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			jobs := asyncio.NewQueue[int](0)
			job := jobs.Getting()
			want := func(what string, want asyncio.Case) {
				t.Helper()
				if chosen, err := asyncio.Select(ctx, job, b.WhenReadable()); chosen != want || err != nil {
					t.Errorf("%s: got %v, %v", what, chosen, err)
				}
			}
			if chosen, err := asyncio.TrySelect(ctx, b.WhenReadable()); chosen != nil || err != nil {
				t.Errorf("before anything was written: %v, %v", chosen, err)
			}
			asyncio.Go(ctx, func(context.Context) error { return jobs.TryPut(1) })
			want("a job", job)
			asyncio.Go(ctx, func(context.Context) error { _, err := a.Write([]byte("hello")); return err })
			want("data", b.WhenReadable())
			want("data, still there", b.WhenReadable())
			buf := make([]byte, 5)
			if _, err := io.ReadFull(b, buf); err != nil || string(buf) != "hello" {
				t.Errorf("read %q, %v", buf, err)
			}
			if err := b.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				return err
			}
			want("a read deadline", b.WhenReadable())
			if err := b.SetReadDeadline(time.Time{}); err != nil {
				return err
			}
			asyncio.Go(ctx, func(context.Context) error { return a.Close() })
			want("the end", b.WhenReadable())
			asyncio.Go(ctx, func(context.Context) error { return b.Close() })
			want("after Close", b.WhenReadable())
			return nil
		})
	})
}

// Another coroutine that reads may be quicker (here it came first): then the wait goes on.
func TestSelect_aConnectionThatSomebodyElseHasRead_waitsOn(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			reader := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return b.Read(make([]byte, 100)) })
			asyncio.Yield(ctx)
			var done asyncio.Event
			selector := asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.Case, error) {
				return asyncio.Select(ctx, b.WhenReadable(), &done)
			})
			asyncio.Yield(ctx)
			if _, err := a.Write([]byte("hello")); err != nil {
				return err
			}
			if n, err := reader.Await(ctx); n != 5 || err != nil {
				t.Errorf("the reader got %d, %v", n, err)
			}
			if b.Readable() {
				t.Error("there is something left")
			}
			asyncio.Yield(ctx)
			done.Set()
			if chosen, err := selector.Await(ctx); chosen != &done || err != nil {
				t.Errorf("Select gave %v, %v", chosen, err)
			}
			return nil
		}, fifo)
	})
}

func TestSelect_aConnectionAlone_isNoDeadlock(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			time.AfterFunc(time.Millisecond, func() { a.Write([]byte("hello")) })
			_, err := asyncio.Select(ctx, b.WhenReadable())
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSelect_aConnectionOfAnotherLoop_saysSo(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		other, err := on(background(t), func(ctx context.Context) (*aionet.Conn, error) {
			_, b := pipe(t, ctx, network)
			return b, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, func(ctx context.Context) error {
			chosen, err := asyncio.Select(ctx, other.WhenReadable())
			if chosen != other.WhenReadable() || err == nil || !strings.Contains(err.Error(), "belongs to another event loop") {
				t.Errorf("got %v, %v", chosen, err)
			}
			return nil
		})
	})
}
