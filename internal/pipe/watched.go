package pipe

import (
	"errors"
	"os"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// Watched is a pipe that is only tried, on the loop: it does not serve other goroutines, and never needs one.
type Watched struct {
	poller.Watch
	f  *os.File
	fd int
}

// Watch lets f not block any more, and watches it. Close does not close f. The poller is asked first: where it does not
// watch descriptors of the system, nothing is done to f.
func Watch(p poller.Poller, f *os.File, o poller.Owner) (*Watched, error) {
	w := &Watched{f: f}
	err := WithDescriptor(f, func(fd int) (err error) {
		if w.Watch, err = p.Watch(fd, o, poller.Edge); err != nil {
			return err
		}
		w.fd = fd
		if err = setNonblock(fd); err == nil {
			err = w.waitable()
		}
		if err != nil {
			w.Watch.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Watched) waitable() error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	if m := info.Mode(); m.IsRegular() || m.IsDir() {
		return errors.New("it is a file, for which nobody has to wait; see package aiofile")
	}
	return nil
}

// PeerGone reports whether a write would meet nobody.
func (w *Watched) PeerGone() bool { return peerGone(w.fd) }
