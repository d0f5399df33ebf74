package aiofile_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func TestChange_cancelledInTheThread_returnsWhenThatHasEnded(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		began, goOn := make(chan struct{}), make(chan struct{})
		ended, told := false, false
		var n int
		task := asyncio.Go(ctx, func(ctx context.Context) (err error) {
			n, err = aiofile.Change(ctx, func(stop func() bool) (int, error) {
				close(began)
				<-goOn
				ended, told = true, stop()
				return 7, aiofile.ErrStopped
			})
			if !ended {
				t.Error("the call has returned before its thread")
			}
			return err
		})
		_, _, _ = asyncio.Recv(ctx, began)
		task.Cancel()
		for range 10 {
			_ = asyncio.Yield(ctx)
		}
		if task.Done() {
			t.Error("the cancelled call did not wait for its thread")
		}
		close(goOn)
		_, err := task.Await(ctx)
		if n != 7 || !told {
			t.Errorf("the result is %d, told to stop: %v; want what the thread returned, 7, and true", n, told)
		}
		wantPathError(t, err, "file", context.Canceled)
		return nil
	})
}

func TestChange_endsWellThoughItWasCancelled_isDone(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		began, goOn := make(chan struct{}), make(chan struct{})
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aiofile.Change(ctx, func(func() bool) (int, error) {
				close(began)
				<-goOn
				return 0, nil
			})
			return err
		})
		_, _, _ = asyncio.Recv(ctx, began)
		task.Cancel()
		_ = asyncio.Yield(ctx)
		close(goOn)
		if _, err := task.Await(ctx); err != nil {
			t.Errorf("what was done all the same returned %v", err)
		}
		return nil
	})
}

// withoutThreads runs fn while the only thread for files is taken.
func withoutThreads(ctx context.Context, fn func()) error {
	aiofile.SetThreadLimit(ctx, 1)
	began, goOn := make(chan struct{}), make(chan struct{})
	taken := asyncio.Go(ctx, func(ctx context.Context) error {
		_, err := aiofile.Change(ctx, func(func() bool) (int, error) {
			close(began)
			<-goOn
			return 0, nil
		})
		return err
	})
	_, _, _ = asyncio.Recv(ctx, began)
	fn()
	close(goOn)
	_, err := taken.Await(ctx)
	return err
}

func TestChange_cancelledBeforeAThreadIsFree_doesNothing(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		return withoutThreads(ctx, func() {
			err := cancelled(ctx, func(ctx context.Context) error {
				_, err := aiofile.Change(ctx, func(func() bool) (int, error) {
					t.Error("a call that was cancelled before it began has begun")
					return 0, nil
				})
				return err
			})
			wantPathError(t, err, "file", context.Canceled)
		})
	})
}

func TestChange_panics_isAPanicErrorWhetherCancelledOrNot(t *testing.T) {
	onLoop(t, func(ctx context.Context) error {
		_, err := aiofile.Change(ctx, func(func() bool) (int, error) { panic("ouch") })
		var p *asyncio.PanicError
		if !errors.As(err, &p) || p.Value != "ouch" {
			t.Errorf("the error of a panic in the thread is %v", err)
		}
		reported := ""
		asyncio.RunningLoop(ctx).SetExceptionHandler(func(info asyncio.ExceptionInfo) { reported = info.Err.Error() })
		began, goOn := make(chan struct{}), make(chan struct{})
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := aiofile.Change(ctx, func(func() bool) (int, error) {
				close(began)
				<-goOn
				panic("too late")
			})
			return err
		})
		_, _, _ = asyncio.Recv(ctx, began)
		task.Cancel()
		_ = asyncio.Yield(ctx)
		close(goOn)
		if _, err = task.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled call that panics returned %v", err)
		}
		for reported == "" { // in the turn after, at the latest
			_ = asyncio.Yield(ctx)
		}
		return nil
	})
}

func TestInSteps_toldToStop_saysExactlyHowFarItCame(t *testing.T) {
	asked := 0
	stop := func() bool { asked++; return asked == 2 }
	var wrote int
	n, err := aiofile.InSteps(stop, make([]byte, 5<<20), func(part []byte, done int) (int, error) {
		if done != wrote {
			t.Errorf("a step at %d, want %d", done, wrote)
		}
		wrote += len(part)
		return len(part), nil
	})
	if n != 2<<20 || wrote != n || err != aiofile.ErrStopped {
		t.Errorf("stopped at the second question: %d bytes reported, %d written, %v; want 2 MiB", n, wrote, err)
	}
}

func TestSetThreadLimit_boundsWhatRunsAtOnce(t *testing.T) {
	for _, limit := range []int{1, 3} {
		onLoop(t, func(ctx context.Context) error {
			aiofile.SetThreadLimit(ctx, limit)
			began, goOn := make(chan struct{}, 10), make(chan struct{})
			tasks := make([]*asyncio.Task[asyncio.None], 5)
			for i := range tasks {
				tasks[i] = asyncio.Go(ctx, func(ctx context.Context) error {
					_, err := aiofile.Change(ctx, func(func() bool) (int, error) {
						began <- struct{}{}
						<-goOn
						return 0, nil
					})
					return err
				})
			}
			for range limit {
				_, _, _ = asyncio.Recv(ctx, began)
			}
			for range 20 {
				_ = asyncio.Yield(ctx)
			}
			if len(began) > 0 {
				t.Errorf("more than %d calls run at once", limit)
			}
			close(goOn)
			for _, task := range tasks {
				if _, err := task.Await(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	onLoop(t, func(ctx context.Context) error {
		mustPanic(t, "SetThreadLimit: the limit is 0", func() { aiofile.SetThreadLimit(ctx, 0) })
		return nil
	})
	mustPanic(t, "event loop", func() { aiofile.SetThreadLimit(context.Background(), 1) })
}

// slowFS is a file system in which each call waits, if there is something to wait for.
type slowFS struct {
	fs.FS
	began, goOn chan struct{}
	closed      chan struct{}
}

func (s slowFS) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	return slowFile{f, s}, err
}

type slowFile struct {
	fs.File
	of slowFS
}

func (f slowFile) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '!' // whoever fills a buffer may use all of it as scratch space
	}
	f.of.began <- struct{}{}
	<-f.of.goOn
	return f.File.Read(p)
}

func (f slowFile) Close() error {
	close(f.of.closed)
	return f.File.Close()
}
