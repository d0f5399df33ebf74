package aionet

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// This file is what a server says of its connections. Peers cause most of it, and could fill the log. So what happens
// again within a minute is counted, and said with the last of its kind when the minute is over.

// noteEvery is how often a server says the same kind of thing.
const noteEvery = time.Minute

// A noteKind is what a server has to say.
type noteKind uint8

const (
	connectionEnded noteKind = iota // early, by the peer or the network
	handshakeFailed
	limitReached
	servingFailed   // a handler's or protocol's own error
	acceptingFailed // the system is short of something

	noteKinds
)

// noteForm says how a kind is said. What concerns the program goes to the loop's exception handler, and the first ones of
// a minute each by themselves; what only concerns a peer goes to the log.
type noteForm struct {
	message string
	level   slog.Level
	failure bool
	atOnce  int // in a minute
}

var noteForms = [noteKinds]noteForm{
	connectionEnded: {message: "a peer ended its connection early", level: slog.LevelInfo, atOnce: 1},
	handshakeFailed: {message: "a TLS handshake failed", level: slog.LevelInfo, atOnce: 1},
	limitReached:    {message: "a limit of the server's was reached", level: slog.LevelWarn, atOnce: 1},
	servingFailed:   {message: "serving %s failed", failure: true, atOnce: 10},
	acceptingFailed: {message: "accepting connections at %s fails; trying again", failure: true, atOnce: 1},
}

// notes counts what a server does not say at once.
type notes struct {
	logger *slog.Logger
	kinds  [noteKinds]tally
	left   int    // kinds with something to say
	remove func() // from what the loop closes at its end
}

type tally struct {
	timer engine.Timer  // for the end of the minute, if something is to be said then
	until time.Duration // the minute's end
	said  int
	n     int // not said yet
	about string
	err   error
}

// note says err of a connection or listener, or counts it.
func (s *Server) note(kind noteKind, about net.Addr, err error) {
	t := &s.notes.kinds[kind]
	now := s.loop.Time()
	if now >= t.until {
		t.until, t.said = now+noteEvery, 0
	}
	if t.said < noteForms[kind].atOnce {
		t.said++
		s.say(kind, 1, addrName(about), err)
		return
	}
	t.n++
	t.about, t.err = addrName(about), err
	if t.n > 1 {
		return
	}
	if s.notes.left++; s.notes.left == 1 {
		s.notes.remove = s.loop.AddCloser(notesCloser{s})
	}
	t.timer.Init(s.loop, func() { s.sayCounted(kind) })
	t.timer.Housekeeping()
	t.timer.Reset(t.until - now)
}

// sayCounted says what was counted.
func (s *Server) sayCounted(kind noteKind) {
	t := &s.notes.kinds[kind]
	if t.n == 0 {
		return
	}
	t.timer.Stop()
	n, about, err := t.n, t.about, t.err
	t.n, t.err = 0, nil
	t.until, t.said = s.loop.Time()+noteEvery, 1
	if s.notes.left--; s.notes.left == 0 {
		s.notes.remove()
	}
	s.say(kind, n, about, err)
}

// sayAll says at the server's end what was counted. Nothing is kept back then.
func (s *Server) sayAll() {
	for kind := range noteKinds {
		s.sayCounted(kind)
	}
}

// notesCloser is the server's end that comes with the loop's.
type notesCloser struct{ s *Server }

func (c notesCloser) Close() error {
	c.s.sayAll()
	return nil
}

func (s *Server) say(kind noteKind, n int, about string, err error) {
	form := &noteForms[kind]
	if form.failure {
		message := fmt.Sprintf(form.message, about)
		if n > 1 {
			message += fmt.Sprintf(" (the last of %d like it in a minute)", n)
		}
		s.report(message, err)
		return
	}
	log := cmp.Or(s.notes.logger, s.loop.Log())
	defer func() { // a broken slog.Handler must not end the loop
		if v := recover(); v != nil {
			s.report(fmt.Sprintf("logging panicked: %v; it was to say: %s: %s", v, form.message, about), err)
		}
	}()
	log.Log(s.loop.Context(), form.level, "aionet: "+form.message,
		slog.String("address", about), slog.Any("err", err), slog.Int("count", n))
}

func addrName(a net.Addr) string {
	if a == nil {
		return addrString(a)
	}
	return a.Network() + " " + addrString(a)
}

// endedByPeer reports whether err, which c's handler returned, only says how the connection has ended, or that the peer let
// it wait. Of several errors each must say so. An error of another connection that the handler uses is its own.
func (c *Conn) endedByPeer(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e := e.(type) {
		case *asyncio.PanicError:
			return false
		case interface{ Unwrap() []error }:
			return !slices.ContainsFunc(e.Unwrap(), func(e error) bool { return !c.endedByPeer(e) })
		case *net.OpError:
			if e.Addr != nil && !(sameAddr(e.Addr, c.RemoteAddr()) && sameAddr(e.Source, c.LocalAddr())) {
				return false
			}
		}
	}
	return errors.Is(err, io.EOF) || errors.Is(err, ErrBufferLimit) || usual(err) || isTimeout(err)
}

func sameAddr(a, b net.Addr) bool { return a == b || addrString(a) == addrString(b) }

// WithPeerLog sets where a server says what its peers do and a program need not mind: that they ended a connection early,
// failed to shake hands (both at level Info), or met one of its limits (Warn). Each kind is said once at first, and then
// once a minute with a count. Without the option it goes to the loop's log ([asyncio.WithLogger]); slog.DiscardHandler
// makes a logger that drops it.
func WithPeerLog(log *slog.Logger) ServeOption {
	if log == nil {
		panic("aionet: WithPeerLog: nil logger")
	}
	return func(s *Server) { s.notes.logger = log }
}
