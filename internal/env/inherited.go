package env

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Inherited is a descriptor that a service manager has opened for the program, or what another environment has in its
// place, which its pollers adopt. An *os.File is one.
type Inherited interface {
	io.Closer
	Name() string
}

// FirstInherited is the number of the first descriptor that a service manager passes (SD_LISTEN_FDS_START).
const FirstInherited = 3

var inheriting sync.Mutex

// InheritedFiles returns the system's, with their names: systemd's socket activation (sd_listen_fds(3)). A second call,
// and children, find none.
func InheritedFiles() ([]*os.File, error) {
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
		return nil, fmt.Errorf("LISTEN_FDS is %q, not a number of descriptors", count)
	}
	var named []string
	if names != "" {
		named = strings.Split(names, ":")
		if len(named) != n {
			return nil, fmt.Errorf("LISTEN_FDNAMES has %d names for %d descriptors: %q", len(named), n, names)
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
		fd := FirstInherited + i
		if err := closeOnExec(fd); err != nil {
			return nil, fmt.Errorf("LISTEN_FDS is %d, but descriptor %d (%s) cannot be used: %w", n, fd, name, err)
		}
		files = append(files, os.NewFile(uintptr(fd), name))
	}
	return files, nil
}

func inherited() ([]Inherited, error) {
	files, err := InheritedFiles()
	var of []Inherited
	for _, f := range files {
		of = append(of, f)
	}
	return of, err
}
