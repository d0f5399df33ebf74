package poller

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Adopt takes a connection of package net as it is, and lets that package make one of a file.
func (p *portable) Adopt(from io.Closer, listening bool, o *Options) (Socket, error) {
	if f, ok := from.(*os.File); ok {
		return p.adoptFile(f, listening, o)
	}
	s := newNetSocket(p)
	switch from := from.(type) {
	case *net.TCPConn, *net.UnixConn:
		if err := checkKind(false, listening); err != nil {
			return nil, err
		}
		s.conn = from.(net.Conn)
		if s.remote = s.conn.RemoteAddr(); s.remote == nil {
			return nil, errors.New("the socket neither listens nor is connected")
		}
		return s, nil
	case *net.TCPListener, *net.UnixListener:
		if err := checkKind(true, listening); err != nil {
			return nil, err
		}
		s.ln = from.(net.Listener)
		s.local = s.ln.Addr()
		s.file = socketFileAt(s.local)
		if err := s.file.prepare(o); err != nil {
			return nil, err
		}
		keepSocketFile(from)
		return s, nil
	}
	return nil, notAdoptable(from)
}

func (p *portable) adoptFile(f *os.File, listening bool, o *Options) (Socket, error) {
	is, err := isListening(f)
	if err == nil {
		err = checkKind(is, listening)
	}
	if err != nil {
		return nil, err
	}
	var made io.Closer
	if listening {
		made, err = net.FileListener(f)
	} else {
		made, err = net.FileConn(f)
	}
	if err != nil {
		return nil, err
	}
	s, err := p.Adopt(made, listening, o)
	if err != nil {
		made.Close()
		return nil, err
	}
	f.Close()
	return s, nil
}

func checkKind(is, want bool) error {
	switch {
	case is && !want:
		return errors.New("the socket listens; use AdoptListener")
	case want && !is:
		return errors.New("the socket is a connection; use Adopt")
	}
	return nil
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

// share keeps a nil *os.File from becoming an io.Closer that is not nil.
func share(f *os.File, err error) (io.Closer, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
