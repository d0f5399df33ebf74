package aionet

import (
	"context"
	"fmt"
	"os"

	"github.com/go-asyncio/asyncio/internal/env"
)

// FilesFromEnvironment returns the descriptors that a service manager has opened for this process, with their names:
// systemd's socket activation, by the variables LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES (sd_listen_fds(3)). Those whose
// LISTEN_PID is another process's are not ours: then, and without the variables, there are none. The variables are
// unset and the descriptors marked to be closed on exec, so that a second call, and children, find none.
//
// Use it for datagram sockets, FIFOs and accepted connections (for these see [Adopt]); for listeners there is
// [ListenersFromEnvironment]. It is errors.ErrUnsupported on Windows if the variables are there.
func FilesFromEnvironment() ([]*os.File, error) {
	files, err := env.InheritedFiles()
	if err != nil {
		return nil, fmt.Errorf("aionet: %w", err)
	}
	return files, nil
}

// ListenersFromEnvironment returns the listeners that a service manager has opened for this process (systemd's socket
// activation; see [FilesFromEnvironment]), for the running loop. [Listener.Name] is what the manager calls them. Files of
// Unix sockets are the manager's and stay. Without a manager it returns none; that is no error:
//
//	lns, err := aionet.ListenersFromEnvironment(ctx)
//	if err == nil && len(lns) == 0 {
//		lns, err = aionet.ListenAll(ctx, "tcp", []string{"localhost:8080"})
//	}
//
// If one of the descriptors is no listening stream socket, all are closed, and the error names it.
func ListenersFromEnvironment(ctx context.Context) ([]*Listener, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: ListenersFromEnvironment: %w", err)
	}
	files, err := l.Env.Inherited()
	if err != nil {
		return nil, fmt.Errorf("aionet: %w", err)
	}
	var lns []*Listener
	for i, f := range files {
		name := f.Name()
		ln, err := AdoptListener(ctx, f, WithUnlink(false))
		if err != nil {
			for _, f := range files[i:] {
				f.Close()
			}
			for _, ln := range lns {
				ln.Close()
			}
			return nil, fmt.Errorf("aionet: descriptor %d (%s) of LISTEN_FDS: %w", env.FirstInherited+i, name, err)
		}
		ln.name = name
		lns = append(lns, ln)
	}
	return lns, nil
}
