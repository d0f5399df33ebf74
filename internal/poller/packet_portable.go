package poller

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// netPacket is a datagram socket of the portable poller: a netSocket in whose streams each byte stands for a datagram,
// which is in the packetConn.
type netPacket struct {
	*netSocket
	conn *packetConn
	file socketFile
}

// What a datagram cannot be larger than: UDP's length field says it, and the systems' usual buffers.
const (
	largestUDP  = 64 << 10
	largestUnix = 256 << 10
)

// packetConn is the netSocket's connection.
type packetConn struct {
	PacketConn

	reading sync.Mutex // at the end of a socket there may be two that read
	buf     []byte

	mu       sync.Mutex
	data     []byte // the datagram that was read, and not yet taken
	oob      []byte
	got      Received
	readErr  error
	out      []byte // being sent
	outOOB   []byte
	to       Dest
	writeErr error // of the one before
}

func (p *portable) AdoptPacket(c PacketConn) (PacketSocket, error) {
	if err := checkPacket(c); err != nil {
		return nil, err
	}
	size := largestUDP
	if _, ok := c.(*net.UnixConn); ok {
		size = largestUnix
	}
	conn := &packetConn{PacketConn: c, buf: make([]byte, size)}
	s := &netPacket{netSocket: newNetSocket(p), conn: conn, file: socketFileAt(c.LocalAddr())}
	s.netSocket.conn, s.remote = s.conn, c.RemoteAddr()
	return s, nil
}

func (p *portable) ListenPacket(network, address string, o *Options) (PacketSocket, error) {
	return listenPacket(p, network, address, o)
}

func (p *portable) DialPacket(network string, remote net.Addr, o *Options) (PacketSocket, error) {
	return dialPacket(p, network, remote, o)
}

// Recv holds the lock until it has copied what its byte stands for: the next read is on its way by then.
func (s *netPacket) Recv(p, oob []byte) (Received, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	var token [1]byte
	if _, err := s.netSocket.Read(token[:]); err != nil {
		return Received{}, err
	}
	r, err := s.conn.got, s.conn.readErr
	if len(s.conn.data) > len(p) {
		r.Flags |= MsgTrunc
	}
	r.N, r.OOBN = copy(p, s.conn.data), copy(oob, s.conn.oob)
	return r, err
}

// Send hands a copy to a goroutine; an error shows at the next one.
func (s *netPacket) Send(p, oob []byte, to Dest) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if err := s.conn.writeErr; err != nil {
		s.conn.writeErr = nil
		return err
	}
	if u, ok := s.conn.LocalAddr().(*net.UDPAddr); ok && to.Addr.IsValid() && u.IP.To4() != nil && !to.Addr.Addr().Unmap().Is4() {
		return &net.AddrError{Err: "an IPv6 address on an IPv4 socket", Addr: to.Addr.String()}
	}
	if s.conn.LocalAddr().Network() == "unixgram" && to.Name == "" && len(oob) > 0 {
		return fmt.Errorf("control messages on a connected Unix socket: %w", errors.ErrUnsupported)
	}
	// The goroutine cannot look before the lock is free.
	if _, err := s.netSocket.Write([]byte{0}); err != nil {
		return err
	}
	s.conn.out, s.conn.outOOB, s.conn.to = append(s.conn.out[:0], p...), append(s.conn.outOOB[:0], oob...), to
	return nil
}

func (s *netPacket) BlockPacket(m Mode, try func(PacketTryer) bool) error {
	return s.Block(m, func(Tryer) bool { return try(s) })
}

func (s *netPacket) Abort() {
	s.file.remove()
	s.netSocket.Abort()
}

func (s *netPacket) Close() error {
	s.file.remove()
	return s.netSocket.Close()
}

// Read reads a datagram, and returns one byte for it, also for an error that leaves the socket in order.
func (c *packetConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	var oob [512]byte
	var r Received
	var err error
	if u, ok := c.PacketConn.(*net.UDPConn); ok {
		r.N, r.OOBN, r.Flags, r.From, err = u.ReadMsgUDPAddrPort(c.buf, oob[:])
		r.From = unmapped(r.From)
	} else {
		var from *net.UnixAddr
		r.N, r.OOBN, r.Flags, from, err = c.PacketConn.(*net.UnixConn).ReadMsgUnix(c.buf, oob[:])
		if from != nil {
			r.Name = from.Name
		}
	}
	if errors.Is(err, net.ErrClosed) {
		return 0, err
	}
	if err != nil {
		r = Received{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got, c.readErr = r, bare(err)
	c.data, c.oob = append(c.data[:0], c.buf[:r.N]...), append(c.oob[:0], oob[:r.OOBN]...)
	return copy(p, "."), nil
}

// Write sends the datagram for which its byte stands.
func (c *packetConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	data, oob, to := c.out, c.outOOB, c.to // Send leaves them alone until this has returned
	c.mu.Unlock()
	var err error
	switch pc := c.PacketConn.(type) {
	case *net.UDPConn:
		_, _, err = pc.WriteMsgUDPAddrPort(data, oob, to.Addr)
	case *net.UnixConn:
		if to.Name == "" { // package net lets a connected one send no control messages
			_, err = pc.Write(data)
		} else {
			_, _, err = pc.WriteMsgUnix(data, oob, &net.UnixAddr{Name: to.Name, Net: "unixgram"})
		}
	}
	c.mu.Lock()
	c.writeErr = bare(err)
	c.mu.Unlock()
	return len(p), nil
}
