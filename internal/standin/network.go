package standin

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// network is the poller of a loop.
type network struct {
	poller.Poller // all that is not below: nil
	w             *World
	due           []func() // what Wait is to tell
}

func (n *network) Wait(timeout time.Duration) (told int, err error) {
	if timeout < 0 && len(n.due) == 0 {
		panic("standin: the loop waits for the system")
	}
	for ; len(n.due) > 0; told++ {
		due := n.due[0]
		n.due = n.due[1:]
		due()
	}
	return told, nil
}

func (n *network) Len() int     { return 1 }
func (n *network) Wake()        {}
func (n *network) Close() error { return nil }

// Watch is for descriptors of the system.
func (n *network) Watch(int, poller.Owner, poller.Trigger) (poller.Watch, error) {
	return nil, errors.ErrUnsupported
}

// end is what all sockets and pipes have.
type end struct {
	n             *network
	owner         poller.Owner
	local, remote net.Addr
	last          time.Duration // when what was sent last arrives
	closed        bool
}

func (e *end) ready(m poller.Mode) {
	e.n.due = append(e.n.due, func() {
		if e.owner != nil && !e.closed {
			e.owner.Ready(m)
		}
	})
}

func (e *end) SetOwner(o poller.Owner)                { e.owner = o }
func (e *end) Arm(poller.Mode) error                  { return nil } // Ready is always called
func (e *end) LocalAddr() net.Addr                    { return e.local }
func (e *end) RemoteAddr() net.Addr                   { return e.remote }
func (e *end) SetDeadline(poller.Mode, time.Time)     {}
func (e *end) SetNoDelay(bool) error                  { return nil }
func (e *end) SetKeepAlive(net.KeepAliveConfig) error { return nil }
func (e *end) Discard()                               {}
func (e *end) Abort()                                 {}

// Try and Block are for goroutines, which live in real time.
func (e *end) Try(func(poller.Tryer)) error                     { return errors.ErrUnsupported }
func (e *end) Block(poller.Mode, func(poller.Tryer) bool) error { return errors.ErrUnsupported }

// claim gives an address to what listens there.
func (n *network) claim(network, address string, what any) (netip.AddrPort, error) {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return addr, err
	}
	key := network[:3] + " " + addr.String()
	if n.w.at[key] != nil {
		return addr, syscall.EADDRINUSE
	}
	n.w.at[key] = what
	return addr, nil
}

// own returns the address of a socket that wants none in particular.
func (n *network) own() netip.AddrPort {
	n.w.ports++
	return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.255"), uint16(n.w.ports))
}

// The methods that neither a socket nor its end has are nil. (They are one embedding deeper, and so give way.)
type (
	restOfSocket       struct{ poller.Socket }
	restOfPacketSocket struct{ poller.PacketSocket }
)

// room is how many bytes a connection takes that the peer has not read.
const room = 64 << 10

// stream listens or is connected.
type stream struct {
	end
	restOfSocket
	peer  *stream
	queue *queue // nil: it does not listen
	in    []byte
	taken int // of room: what has come and what is under way
	ended bool
	err   error // of connecting
}

// queue is what connections wait in to be accepted, by one loop or several.
type queue struct {
	waiting   []*stream
	listening []*stream
}

func (n *network) Listen(network, address string, _ *poller.Options) (poller.Socket, error) {
	q := &queue{}
	at, err := n.claim(network, address, q)
	if err != nil {
		return nil, err
	}
	return n.listen(q, net.TCPAddrFromAddrPort(at)), nil
}

func (n *network) listen(q *queue, at net.Addr) *stream {
	s := &stream{end: end{n: n, local: at}, queue: q}
	q.listening = append(q.listening, s)
	return s
}

// Adopt is for what Share has returned.
func (n *network) Adopt(from io.Closer, _ bool, _ *poller.Options) (poller.Socket, error) {
	ln, ok := from.(*shared)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return n.listen(ln.queue, ln.local), nil
}

type shared struct{ *stream }

func (*shared) Close() error { return nil }

func (s *stream) Share() (io.Closer, error) { return &shared{s}, nil }

func (n *network) Dial(network string, remote net.Addr, _ *poller.Options) (poller.Socket, error) {
	s := &stream{end: end{n: n, remote: remote, local: net.TCPAddrFromAddrPort(n.own())}, err: poller.ErrAgain}
	n.w.send(&s.last, func() {
		q, _ := n.w.at[network[:3]+" "+remote.String()].(*queue)
		if s.err = syscall.ECONNREFUSED; q != nil {
			s.peer, s.err = &stream{end: end{n: n, local: remote, remote: s.local}, peer: s}, nil
			q.waiting = append(q.waiting, s.peer)
			for _, ln := range q.listening {
				ln.ready(poller.Read)
			}
		}
		n.w.note("connect %v to %v: %v", s.local, remote, s.err)
		s.ready(poller.Write)
	})
	return s, nil
}

func (s *stream) Connect() error { return s.err }

func (s *stream) Accept() (poller.Socket, error) {
	if len(s.queue.waiting) == 0 {
		return nil, poller.ErrAgain
	}
	c := s.queue.waiting[0]
	s.queue.waiting = s.queue.waiting[1:]
	c.n = s.n
	return c, nil
}

func (s *stream) Peek() error {
	if len(s.in) == 0 && !s.ended {
		return poller.ErrAgain
	}
	return nil
}

func (s *stream) Read(p []byte) (int, error) {
	switch {
	case len(s.in) > 0:
		n := copy(p, s.in)
		s.in = s.in[n:]
		s.taken -= n
		s.peer.ready(poller.Write)
		return n, nil
	case s.ended:
		return 0, io.EOF
	}
	return 0, poller.ErrAgain
}

func (s *stream) Write(p []byte) (int, error) {
	if s.peer.closed {
		return 0, syscall.EPIPE
	}
	data := slices.Clone(p[:min(len(p), room-s.peer.taken)])
	if len(data) == 0 {
		return 0, poller.ErrAgain
	}
	s.peer.taken += len(data)
	s.n.w.send(&s.last, func() {
		s.n.w.note("%d bytes from %v", len(data), s.local)
		s.peer.in = append(s.peer.in, data...)
		s.peer.ready(poller.Read)
	})
	return len(data), nil
}

func (s *stream) Writev(parts [][]byte) (int, error) { return s.Write(slices.Concat(parts...)) }

func (s *stream) CloseWrite() error {
	s.n.w.send(&s.last, func() {
		s.peer.ended = true
		s.peer.ready(poller.Read)
	})
	return nil
}

func (s *stream) Close() error {
	s.closed = true
	switch {
	case s.queue == nil && s.peer != nil:
		return s.CloseWrite()
	case s.queue != nil:
		s.queue.listening = slices.DeleteFunc(s.queue.listening, func(ln *stream) bool { return ln == s })
		if len(s.queue.listening) == 0 {
			delete(s.n.w.at, "tcp "+s.local.String())
		}
	}
	return nil
}

// datagrams is a socket for them.
type datagrams struct {
	end
	restOfPacketSocket
	came []datagram
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

func (n *network) ListenPacket(network, address string, _ *poller.Options) (poller.PacketSocket, error) {
	s := &datagrams{end: end{n: n}}
	at, err := n.claim(network, address, s)
	if err != nil {
		return nil, err
	}
	s.local = net.UDPAddrFromAddrPort(at)
	return s, nil
}

func (n *network) DialPacket(network string, remote net.Addr, o *poller.Options) (poller.PacketSocket, error) {
	s, err := n.ListenPacket(network, n.own().String(), o)
	if err == nil {
		s.(*datagrams).remote = remote
	}
	return s, err
}

func (s *datagrams) Send(p, _ []byte, to poller.Dest) error {
	from, data := s.local.(*net.UDPAddr).AddrPort(), slices.Clone(p)
	if to == (poller.Dest{}) {
		to.Addr = s.remote.(*net.UDPAddr).AddrPort()
	}
	var apart time.Duration // datagrams overtake one another
	s.n.w.send(&apart, func() {
		peer, _ := s.n.w.at["udp "+to.Addr.String()].(*datagrams)
		s.n.w.note("datagram of %d bytes from %v to %v", len(data), from, to.Addr)
		if peer != nil {
			peer.came = append(peer.came, datagram{from, data})
			peer.ready(poller.Read)
		}
	})
	return nil
}

func (s *datagrams) Recv(p, _ []byte) (poller.Received, error) {
	if len(s.came) == 0 {
		return poller.Received{}, poller.ErrAgain
	}
	d := s.came[0]
	s.came = s.came[1:]
	return poller.Received{N: copy(p, d.data), From: d.from}, nil
}

func (s *datagrams) BlockPacket(poller.Mode, func(poller.PacketTryer) bool) error {
	return errors.ErrUnsupported
}

func (s *datagrams) Close() error {
	s.closed = true
	delete(s.n.w.at, fmt.Sprint("udp ", s.local))
	return nil
}
