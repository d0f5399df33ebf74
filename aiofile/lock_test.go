package aiofile_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

func TestFile_Lock_keepsOthersOutUntilItIsGivenUp(t *testing.T) {
	name := fileWith(t, "")
	onLoop(t, func(ctx context.Context) error {
		a, b := opened(t, ctx, name, os.O_RDWR), opened(t, ctx, name, os.O_RDWR)
		if err := a.Lock(ctx); err != nil {
			return err
		}
		if locked, err := b.TryLock(ctx); locked || err != nil {
			t.Errorf("TryLock of a locked file = %v, %v", locked, err)
		}
		waiting := asyncio.Go(ctx, b.Lock)
		err := asyncio.Timeout(ctx, 10*time.Millisecond, a.LockShared)
		if err != nil {
			t.Errorf("the file's own lock keeps it from sharing: %v", err)
		}
		if waiting.Done() {
			t.Error("a lock was had while somebody else shared it")
		}
		if err := a.Unlock(ctx); err != nil {
			return err
		}
		if _, err := waiting.Await(ctx); err != nil {
			return err
		}
		b.Close() // which opens it
		if locked, err := a.TryLock(ctx); !locked || err != nil {
			t.Errorf("TryLock after the other has closed = %v, %v", locked, err)
		}
		return nil
	})
}

func TestFile_Lock_shared_isHadByMany(t *testing.T) {
	name := fileWith(t, "")
	onLoop(t, func(ctx context.Context) error {
		a, b, c := opened(t, ctx, name, os.O_RDWR), opened(t, ctx, name, os.O_RDWR), opened(t, ctx, name, os.O_RDWR)
		for _, f := range []*aiofile.File{a, b} {
			if err := f.LockShared(ctx); err != nil {
				return err
			}
		}
		if locked, err := c.TryLock(ctx); locked || err != nil {
			t.Errorf("TryLock of a file whose lock is shared = %v, %v", locked, err)
		}
		return nil
	})
}

func TestFile_Lock_cancelled_doesNotLock(t *testing.T) {
	name := fileWith(t, "")
	onLoop(t, func(ctx context.Context) error {
		a, b := opened(t, ctx, name, os.O_RDWR), opened(t, ctx, name, os.O_RDWR)
		if err := a.Lock(ctx); err != nil {
			return err
		}
		err := asyncio.Timeout(ctx, time.Millisecond, b.Lock)
		wantPathError(t, err, name, context.DeadlineExceeded)
		a.Close()
		if c := opened(t, ctx, name, os.O_RDWR); true {
			if locked, err := c.TryLock(ctx); !locked || err != nil {
				t.Errorf("a cancelled Lock has locked: %v, %v", locked, err)
			}
		}
		return nil
	})
}

// stackingLocks lock as LockFileEx does: a second lock of the same file stands beside the first one, and conflicts with
// it. All files are one.
type stackingLocks struct {
	env.Files
	locks []heldLock
}

type heldLock struct {
	of     env.File
	shared bool
}

func (s *stackingLocks) Lock(f env.File, shared bool) (bool, error) {
	for _, l := range s.locks {
		if !shared || !l.shared {
			return false, nil
		}
	}
	s.locks = append(s.locks, heldLock{f, shared})
	return true, nil
}

func (s *stackingLocks) Unlock(f env.File) error {
	i := slices.IndexFunc(s.locks, func(l heldLock) bool { return l.of == f })
	if i < 0 {
		return errors.New("it is not locked")
	}
	s.locks = slices.Delete(s.locks, i, i+1)
	return nil
}

// onLocks runs body with two open files that have one lock: the system's, and one that works as Windows' does.
func onLocks(t *testing.T, body func(t *testing.T, ctx context.Context, a, b *aiofile.File)) {
	system, stacking := env.Real(), env.Real()
	locks := &stackingLocks{Files: stacking.Files}
	stacking.Files = locks
	for name, e := range map[string]*env.Env{"of the system": system, "that stack": stacking} {
		t.Run("locks "+name, func(t *testing.T) {
			file := fileWith(t, "")
			onLoop(t, func(ctx context.Context) error {
				a, b := opened(t, ctx, file, os.O_RDWR), opened(t, ctx, file, os.O_RDWR)
				body(t, ctx, a, b)
				return nil
			}, engine.WithEnv(e).(asyncio.Option))
			if len(locks.locks) != 0 {
				t.Errorf("%d locks are left", len(locks.locks))
			}
		})
	}
}

func TestFile_Lock_ofAFileThatHasOneAlready_isOneLock(t *testing.T) {
	onLocks(t, func(t *testing.T, ctx context.Context, a, b *aiofile.File) {
		lock := func(f *aiofile.File) error { return asyncio.Timeout(ctx, 10*time.Second, f.Lock) }
		share := func(f *aiofile.File) error { return asyncio.Timeout(ctx, 10*time.Second, f.LockShared) }
		unlock := func(f *aiofile.File) error { return f.Unlock(ctx) }
		for _, steps := range [][]func(*aiofile.File) error{
			{lock, share}, {share, lock}, {lock, lock}, {share, share}, {lock, share, lock, share, share},
			{lock, unlock, unlock, unlock, share}, {unlock},
		} {
			for i, step := range steps {
				if err := step(a); err != nil {
					t.Fatalf("step %d of %d: %v", i, len(steps), err)
				}
			}
			if err := a.Unlock(ctx); err != nil {
				t.Fatal(err)
			}
			if locked, err := b.TryLock(ctx); !locked || err != nil {
				t.Fatalf("after Unlock, TryLock of another one = %v, %v", locked, err)
			}
			if err := b.Unlock(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestFile_Lock_thatIsShared_keepsOthersFromHavingItAlone(t *testing.T) {
	onLocks(t, func(t *testing.T, ctx context.Context, a, b *aiofile.File) {
		for _, f := range []*aiofile.File{a, b} {
			if err := f.LockShared(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if locked, err := a.TryLock(ctx); locked || err != nil {
			t.Errorf("TryLock = %v, %v, while another one shares it", locked, err)
		}
		if locked, err := b.TryLock(ctx); !locked || err != nil {
			t.Errorf("TryLock = %v, %v: one that did not get it has kept its share", locked, err)
		}
		if err := b.Unlock(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestFile_Lock_ofAClosedFile_fails(t *testing.T) {
	onLocks(t, func(t *testing.T, ctx context.Context, a, b *aiofile.File) {
		b.Close()
		if err := a.Lock(ctx); err != nil {
			t.Error(err)
		}
		if err := a.Unlock(ctx); err != nil {
			t.Error(err)
		}
		a.Close()
		wantPathError(t, a.Unlock(ctx), a.Name(), os.ErrClosed)
		if _, err := a.Stat(); err != nil {
			wantPathError(t, err, a.Name(), os.ErrClosed)
		} else {
			t.Error("Stat of a closed file succeeded")
		}
	})
}
