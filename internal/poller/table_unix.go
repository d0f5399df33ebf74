//go:build linux || darwin || freebsd || dragonfly

package poller

// watched is a descriptor in a poller's table. It is the loop's; sockets let other goroutines read fd under their mu.
type watched struct {
	owner      Owner
	fd         int // -1 after Close
	registered bool
	listening  bool
	readable   bool // false: emptied since the last edge, so a try is in vain
	writable   bool // the same for a full one
	hangup     bool // the end has been reported: there will be no more edges, so each try asks the kernel
}

func newWatched(fd int) watched { return watched{fd: fd, readable: true, writable: true} }

func (w *watched) ready(m Mode, hangup bool) {
	w.readable = w.readable || m&Read != 0
	w.writable = w.writable || m&Write != 0
	w.hangup = w.hangup || hangup
	w.owner.Ready(m)
}

// table finds what is watched by its descriptor's number. Numbers are small and reused, so it is a slice. An event that
// the kernel fetched before its descriptor was closed and reused can reach the new owner: that costs a try, no more.
type table struct {
	entries []*watched
	n       int
}

func (t *table) add(w *watched) {
	if w.fd >= len(t.entries) {
		t.entries = append(t.entries, make([]*watched, w.fd+1-len(t.entries))...)
	}
	if t.entries[w.fd] == nil { // or else somebody has closed a descriptor under its watch
		t.n++
	}
	t.entries[w.fd] = w
}

// remove reports false if the number is somebody else's by now.
func (t *table) remove(w *watched) bool {
	if t.get(w.fd) != w {
		return false
	}
	t.entries[w.fd] = nil
	t.n--
	return true
}

func (t *table) get(fd int) *watched {
	if fd >= len(t.entries) {
		return nil
	}
	return t.entries[fd]
}
