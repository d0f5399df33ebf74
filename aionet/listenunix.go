package aionet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// WithFileMode sets the permissions of the file of a Unix socket, exactly: who may write to it may connect. On Linux
// they hold from the first moment; elsewhere the file is there for a moment with those that the umask leaves, which are
// also what it has without this option. Other networks, and Dial, do not take it.
func WithFileMode(perm fs.FileMode) Option { return func(o *options) { o.Mode = perm.Perm() } }

// WithUnlink says whether closing the listener removes the file of its Unix socket, as it does by default.
func WithUnlink(on bool) Option { return func(o *options) { o.KeepFile = !on } }

// listenUnix replaces a socket's file that nobody listens at.
func listenUnix(ctx context.Context, l *engine.Loop, path string, o *options) (poller.Socket, error) {
	if o.ReusePort {
		return nil, fmt.Errorf("WithReusePort is for TCP; Listener.Clone lets several loops share a Unix socket")
	}
	s, err := l.Poller().Listen("unix", path, &o.Options)
	if !errors.Is(err, syscall.EADDRINUSE) || path == "" || path[0] == '@' {
		return s, err
	}
	_, stale := asyncio.ToThread(ctx, func() (struct{}, error) { return struct{}{}, l.Poller().RemoveDead("unix", path) })
	if stale != nil {
		return nil, errors.Join(err, stale)
	}
	return l.Poller().Listen("unix", path, &o.Options)
}
