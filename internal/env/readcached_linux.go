package env

import "golang.org/x/sys/unix"

// resolveCached is RESOLVE_CACHED of openat2(2): fail with EAGAIN rather than wait for the disk to find a name.
const resolveCached = 0x20

// readCached reads a whole file on the loop if nothing has to be waited for: the system has its name and its content
// in memory. In any other case it reports false, and a thread has to be asked, which also says what is wrong if
// something is.
//
// To open a FIFO or a device has effects, and to open a file of FUSE or NFS asks a program or a server: so it looks
// first, through a descriptor that opens nothing (O_PATH), whether it is a regular file on a disk.
func readCached(name string, most int) ([]byte, bool) {
	fd, err := openCached(name, unix.O_PATH)
	if err != nil {
		return nil, false
	}
	size, ok := sizeOnDisk(fd)
	unix.Close(fd)
	if !ok || size == 0 || size > most {
		return nil, false
	}
	fd, err = openCached(name, unix.O_RDONLY|unix.O_NONBLOCK) // whatever has that name by now
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	data := make([]byte, size+1) // one more finds out that it has grown
	n, err := unix.Preadv2(fd, [][]byte{data}, 0, unix.RWF_NOWAIT)
	if err != nil || n != size {
		return nil, false
	}
	return data[:n], true
}

func openCached(name string, flags uint64) (fd int, err error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolveCached}
	return unix.Openat2(unix.AT_FDCWD, name, &how)
}

// sizeOnDisk returns the size of a regular file on a disk, as far as the system knows it without asking. Only what is
// on no disk has a device of major number 0.
func sizeOnDisk(fd int) (int, bool) {
	var s unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_SIZE, &s)
	return int(s.Size), err == nil && s.Mode&unix.S_IFMT == unix.S_IFREG && s.Dev_major != 0
}
