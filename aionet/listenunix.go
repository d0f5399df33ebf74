package aionet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

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

// answerLimit is for a server that is there and too busy to answer.
const answerLimit = time.Second

// listenUnix replaces a socket's file that nobody listens at.
func listenUnix(ctx context.Context, l *engine.Loop, path string, o *options) (poller.Socket, error) {
	if o.ReusePort {
		return nil, fmt.Errorf("WithReusePort is for TCP; Listener.Clone lets several loops share a Unix socket")
	}
	s, err := l.Poller().Listen("unix", path, &o.Options)
	if !errors.Is(err, syscall.EADDRINUSE) || path == "" || path[0] == '@' {
		return s, err
	}
	_, stale := asyncio.ToThread(ctx, func() (struct{}, error) { return struct{}{}, removeDeadSocket("unix", path) })
	if stale != nil {
		return nil, errors.Join(err, stale)
	}
	return l.Poller().Listen("unix", path, &o.Options)
}

// removeDeadSocket removes the file of a socket that nobody listens at, or says why it may not.
func removeDeadSocket(network, path string) error {
	if err := removeIfDead(network, path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // its owner, or another one who is to listen there, has just removed it
}

func removeIfDead(network, path string) error {
	file, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if file.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is no socket, and stays", path)
	}
	c, err := net.DialTimeout(network, path, answerLimit)
	if err == nil {
		c.Close()
		return fmt.Errorf("somebody answers at %s", path)
	}
	if !nobodyAnswers(err) {
		return err
	}
	now, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(file, now) {
		return fmt.Errorf("somebody has just replaced %s", path)
	}
	return os.Remove(path)
}
