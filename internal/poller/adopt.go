package poller

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Adopt takes a connection of package net as it is, and lets that package make one of a file.
func (p *portable) Adopt(from io.Closer, o *Options) (Socket, bool, error) {
	if f, ok := from.(*os.File); ok {
		return p.adoptFile(f, o)
	}
	s := newNetSocket(p)
	switch from := from.(type) {
	case *net.TCPConn, *net.UnixConn:
		s.conn = from.(net.Conn)
		if s.remote = s.conn.RemoteAddr(); s.remote == nil {
			return nil, false, errors.New("the socket neither listens nor is connected")
		}
		return s, false, nil
	case *net.TCPListener, *net.UnixListener:
		s.ln = from.(net.Listener)
		s.local = s.ln.Addr()
		s.file = socketFileAt(s.local)
		if err := s.file.prepare(o); err != nil {
			return nil, false, err
		}
		keepSocketFile(from)
		return s, true, nil
	}
	return nil, false, notAdoptable(from)
}

func (p *portable) adoptFile(f *os.File, o *Options) (Socket, bool, error) {
	listening, err := isListening(f)
	if err != nil {
		return nil, false, err
	}
	var made io.Closer
	if listening {
		made, err = net.FileListener(f)
	} else {
		made, err = net.FileConn(f)
	}
	if err != nil {
		return nil, false, err
	}
	s, listening, err := p.Adopt(made, o)
	if err != nil {
		made.Close()
		return nil, false, err
	}
	f.Close()
	return s, listening, nil
}

func notAdoptable(from io.Closer) error {
	return fmt.Errorf("a %T has no descriptor of its own; give an *os.File, or a connection or listener of package net", from)
}

// letGo closes what has been duplicated.
func letGo(from io.Closer) {
	keepSocketFile(from)
	from.Close()
}

func keepSocketFile(from io.Closer) {
	if u, ok := from.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
}
