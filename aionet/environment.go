package aionet

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// firstInherited is the number of the first descriptor that a service manager passes (SD_LISTEN_FDS_START).
const firstInherited = 3

var inheriting sync.Mutex

// FilesFromEnvironment returns the descriptors that a service manager has opened for this process, with their names:
// systemd's socket activation, by the variables LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES (sd_listen_fds(3)). Those whose
// LISTEN_PID is another process's are not ours: then, and without the variables, there are none. The variables are
// unset and the descriptors marked to be closed on exec, so that a second call, and children, find none.
//
// Use it for datagram sockets, FIFOs and accepted connections (for these see [Adopt]); for listeners there is
// [ListenersFromEnvironment]. It is errors.ErrUnsupported on Windows if the variables are there.
func FilesFromEnvironment() ([]*os.File, error) {
	inheriting.Lock()
	defer inheriting.Unlock()
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	if pid == "" || count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	for _, variable := range [...]string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		_ = os.Unsetenv(variable) // fails for malformed names only
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("aionet: LISTEN_FDS is %q, not a number of descriptors", count)
	}
	var named []string
	if names != "" {
		named = strings.Split(names, ":")
		if len(named) != n {
			return nil, fmt.Errorf("aionet: LISTEN_FDNAMES has %d names for %d descriptors: %q", len(named), n, names)
		}
	}
	return inherit(n, named)
}

func inherit(n int, names []string) (files []*os.File, err error) {
	for i := range n {
		name := "unknown" // as systemd has it
		if names != nil {
			name = names[i]
		}
		fd := firstInherited + i
		if err := closeOnExec(fd); err != nil {
			return nil, fmt.Errorf("aionet: LISTEN_FDS is %d, but descriptor %d (%s) cannot be used: %w", n, fd, name, err)
		}
		files = append(files, os.NewFile(uintptr(fd), name))
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
	if _, err := loopOf(ctx); err != nil {
		return nil, fmt.Errorf("aionet: ListenersFromEnvironment: %w", err)
	}
	files, err := FilesFromEnvironment()
	if err != nil {
		return nil, err
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
			return nil, fmt.Errorf("aionet: descriptor %d (%s) of LISTEN_FDS: %w", firstInherited+i, name, err)
		}
		ln.name = name
		lns = append(lns, ln)
	}
	return lns, nil
}
