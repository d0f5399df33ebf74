package aionet

// A client is a connection of a Server, from when it is accepted until it is closed and its handler has returned, or its
// protocol has been told.
type client struct {
	server     *Server
	is         connection
	next, prev *client // in order of acceptance
	left       bool
}

// connection is what a client is: a connection with a handler, or a transport.
type connection interface {
	// close lets what was written be sent.
	close()
	abort()
}

// roster holds a server's clients in order of acceptance, in which they are told what concerns them all. The order of a map
// would be another one in each run.
type roster struct {
	first, last *client
	n           int
}

func (r *roster) add(k *client) {
	k.prev = r.last
	if r.last != nil {
		r.last.next = k
	} else {
		r.first = k
	}
	r.last = k
	r.n++
}

func (r *roster) remove(k *client) {
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		r.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	} else {
		r.last = k.prev
	}
	k.next, k.prev = nil, nil
	r.n--
}

// each calls fn for every client; fn may remove the one that it is called for.
func (r *roster) each(fn func(connection)) {
	for k := r.first; k != nil; {
		next := k.next
		fn(k.is)
		k = next
	}
}

// enter makes k one of the server's clients.
func (s *Server) enter(k *client, is connection) {
	k.server, k.is = s, is
	s.clients.add(k)
}

// leave ends that; k is nobody's then.
func (k *client) leave() {
	if k.left {
		return
	}
	k.left = true
	s := k.server
	s.clients.remove(k)
	s.room.WakeAll() // not each listener has a connection for it
	if s.closed && s.clients.n <= s.inside {
		s.changed.WakeAll()
	}
}
