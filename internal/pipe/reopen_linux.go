package pipe

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// reopen opens what the descriptor stands for once more, with flags of its own; nil if that cannot be. (libuv does so,
// too, with terminals.) Devices and sockets cannot be had twice, and of a new pseudo-terminal it would be another one.
func reopen(f *os.File, fd int, info fs.FileInfo, terminal bool) *os.File {
	if _, err := unix.IoctlGetInt(fd, unix.TIOCGPTN); !terminal && info.Mode()&fs.ModeNamedPipe == 0 || err == nil {
		return nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil
	}
	flags = flags&unix.O_ACCMODE | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags, 0)
	if err != nil {
		return nil
	}
	g := os.NewFile(uintptr(again), f.Name())
	if !pollable(g, again) {
		g.Close()
		return nil
	}
	return g
}
