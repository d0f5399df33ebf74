//go:build linux || darwin || freebsd || dragonfly

package poller

// table finds a socket by its descriptor's number. Numbers are small and reused, so it is a slice. An event that the
// kernel fetched before its descriptor was closed and reused can reach the new socket: that costs a try, no more.
type table struct {
	sockets []*fdSocket
	n       int
}

func (t *table) add(s *fdSocket) {
	if s.fd >= len(t.sockets) {
		t.sockets = append(t.sockets, make([]*fdSocket, s.fd+1-len(t.sockets))...)
	}
	t.sockets[s.fd] = s
	t.n++
}

func (t *table) remove(s *fdSocket) {
	t.sockets[s.fd] = nil
	t.n--
}

func (t *table) get(fd int) *fdSocket {
	if fd >= len(t.sockets) {
		return nil
	}
	return t.sockets[fd]
}
