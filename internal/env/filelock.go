//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows

package env

// lockCall runs fn with the descriptor of f, which is not closed meanwhile.
func lockCall(f File, fn func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = fn(fd) }); err != nil {
		return err
	}
	return failed
}
