package aiofile_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
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
