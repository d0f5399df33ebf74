package aiofile_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func TestLend_coroutinesAndGoroutinesAtOnce_haveThePositionInTurn(t *testing.T) {
	const parts, part = 300, 10
	name := fileWith(t, strings.Repeat("0123456789", parts))
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		read := func(lends bool) (got int, err error) {
			p := make([]byte, part)
			for err == nil {
				if lends {
					err = f.Lend(func(o *os.File) (err error) { _, err = o.Read(p); return err })
				} else {
					_, err = f.Read(p)
				}
				if err == nil && string(p) != "0123456789" {
					return got, errors.New("read " + string(p))
				}
				got++
			}
			return got - 1, err
		}
		total := 0
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for _, lends := range []bool{true, false} {
				for _, run := range []func(ctx context.Context) (int, error){
					func(context.Context) (int, error) { return read(lends) },
					func(ctx context.Context) (int, error) {
						return asyncio.ToThread(ctx, func() (int, error) { return read(lends) })
					},
				} {
					g.Go(func(ctx context.Context) error {
						n, err := run(ctx)
						total += n
						if err != io.EOF {
							return err
						}
						return nil
					})
				}
			}
			return nil
		})
		if total != parts {
			t.Errorf("%d parts were read, want %d", total, parts)
		}
		return err
	})
}

func TestLend_goroutineLends_coroutineThatWaitsForItMayBeCancelled(t *testing.T) {
	name := fileWith(t, "0123456789")
	for what, wait := range map[string]func(f *aiofile.File) error{
		"Lend": func(f *aiofile.File) error { return f.Lend(func(*os.File) error { return nil }) },
		"Seek": func(f *aiofile.File) error { _, err := f.Seek(7, io.SeekStart); return err },
		"Read": func(f *aiofile.File) error { _, err := f.Read(make([]byte, 7)); return err },
	} {
		t.Run(what, func(t *testing.T) {
			onLoop(t, func(ctx context.Context) error {
				f := opened(t, ctx, name, os.O_RDONLY)
				lent, back := make(chan bool), make(chan bool)
				go f.Lend(func(o *os.File) error {
					lent <- true
					<-back
					_, err := o.Seek(3, io.SeekStart)
					return err
				})
				asyncio.Recv(ctx, lent)
				err := asyncio.Timeout(ctx, 10*time.Millisecond, func(context.Context) error { return wait(f) })
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s = %v, want a timeout", what, err)
				}
				close(back)
				p := make([]byte, 4)
				if _, err := f.Read(p); string(p) != "3456" || err != nil {
					t.Errorf("then Read = %q, %v, want what comes at the position that was left", p, err)
				}
				return nil
			})
		})
	}
}

func TestLend_fnPanics_thePositionIsFreeAgain(t *testing.T) {
	name := fileWith(t, "0123456789")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		func() {
			defer func() { _ = recover() }()
			_ = f.Lend(func(*os.File) error { panic("oh") })
		}()
		_, err := f.Seek(0, io.SeekStart)
		return err
	})
}

func TestLend_closedFile_isErrClosedAndFnIsNotCalled(t *testing.T) {
	name := fileWith(t, "0123456789")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		if err := f.Close(); err != nil {
			return err
		}
		err := f.Lend(func(*os.File) error { t.Error("fn was called"); return nil })
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("Lend = %v, want os.ErrClosed", err)
		}
		return nil
	})
}
