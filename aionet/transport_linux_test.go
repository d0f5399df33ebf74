package aionet_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// conformance: transport-06 transport-15 transport-31
func TestTransport_readErrorThatIsNotTheNetworks_isReported(t *testing.T) {
	run(t, func(ctx context.Context) error {
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			t.Skip("the portable poller's descriptors are Go's")
		}
		reported := reports(ctx)
		r := &recorder{}
		tr, peer := attach(t, ctx, "tcp", r)
		raw, err := tr.SyscallConn()
		must(t, err)
		dir, err := os.Open("/")
		must(t, err)
		defer dir.Close()
		peer.Write([]byte("x"))
		must(t, raw.Control(func(fd uintptr) { err = unix.Dup3(int(dir.Fd()), int(fd), unix.O_CLOEXEC) })) // no socket any more
		must(t, err)
		tr.PauseReading()
		tr.ResumeReading() // looks again
		must(t, r.wait(ctx, "lost"))
		if !errors.Is(r.err, unix.ENOTSOCK) && !errors.Is(r.err, unix.EISDIR) || len(*reported) != 1 {
			t.Errorf("told %v, reported %q", r.err, *reported)
		}
		return nil
	})
}
