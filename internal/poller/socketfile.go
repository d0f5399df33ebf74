package poller

import (
	"net"
	"os"
)

// socketFile is the file of a listening Unix socket, which goes with it. The zero socketFile is none.
type socketFile struct {
	name string
	made os.FileInfo // nil if the system does not tell
}

// socketFileAt returns the file that a listener has at the address.
func socketFileAt(a net.Addr) (f socketFile) {
	if u, ok := a.(*net.UnixAddr); ok && u.Name != "" && u.Name[0] != '@' {
		f.name = u.Name
		f.made, _ = os.Lstat(u.Name)
	}
	return f
}

// prepare gives the file that a listener has just made the permissions that it is to have. The zero socketFile needs
// none.
func (f *socketFile) prepare(o *Options) error {
	if f.name != "" && o.Mode != 0 {
		if err := os.Chmod(f.name, o.Mode); err != nil {
			return err
		}
	}
	if o.KeepFile {
		*f = socketFile{}
	}
	return nil
}

// remove removes the file, but not one that somebody else has put in its place. It comes before the socket is closed:
// until then the system gives its number to no other file.
func (f socketFile) remove() {
	if f.name == "" {
		return
	}
	if now, err := os.Lstat(f.name); f.made == nil || err == nil && os.SameFile(now, f.made) {
		_ = os.Remove(f.name)
	}
}
