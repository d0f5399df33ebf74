package aionet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// ErrServerClosed is what ends the connections of a [Server] that is shut down, and what its methods return that come
// too late. It is net.ErrClosed, too.
var ErrServerClosed = fmt.Errorf("aionet: the server is closed: %w", net.ErrClosed)

// A Server accepts connections from one or more listeners, and runs a handler for each in a task of its own
// (asyncio's Server), or gives each to a [Protocol] ([NewProtocolServer]). [Serve] and [ServeProtocol] are one for a
// single listener in one call.
//
//	s := aionet.NewServer(ctx, handler, aionet.WithMaxConnections(1000), aionet.WithDrain(10*time.Second))
//	if err := s.AddListener(ln, another); err != nil {
//		return err
//	}
//	return s.ServeForever(ctx)
//
// What a handler returns or panics with ends that connection only, and is reported. An error that only says how the peer
// has ended the connection, or that it was late, goes to the log ([WithPeerLog]), and so does a failed handshake. Any other
// error, and a panic, goes to the loop's exception handler.
//
// Peers decide how often that happens, and could fill the log. So each kind is reported once when it first happens, or ten
// times a minute if it goes to the exception handler. After that it is counted, and the count is reported with the last
// error when the minute is over.
//
// # Limits
//
// A server is safe on a public port as it is. There are limits on connections, at once and from one address, on
// handshakes at once, on how long a connection may be idle, for how long a peer may take nothing of what is sent, and for
// how long what is left is sent at the end of a connection. When the server is full, the connection that has been idle for
// the longest makes room for a new one. [WithMaxConnections], [WithMaxPerAddress], [WithMaxHandshakes], [WithIdleLimit],
// [WithIdleLimitWhenFull], [WithWriteLimit] and [WithFarewellLimit] say what the limits are without them, and set others or
// none; [WithoutLimits] switches all off. [WithReadLimit] is one that has to be set. What ends by a limit ends with a [LimitError],
// and is noted in the log. Deadlines that a handler sets are the handler's own.
//
// Limits of time hold for coroutines that read and write, and for protocols. What a handler lets other goroutines do
// they leave alone.
//
// When the system is short of descriptors or memory, the server reports it, waits, and goes on: 5 ms first, then up to
// 1 s. A connection that has gone before it was accepted is passed over.
//
// # The end
//
// A server ends in up to four steps. It stops accepting. It lets the handlers finish, for as long as [WithDrain] says;
// [Idle] lets those end at once that have nothing to finish. It cancels those that are left. And it resets the
// connections of those that do not end even then ([WithAbortAfter]). [Server.ServeForever] and [Server.Shutdown] take
// all steps and return when the last handler has; [Server.Close] takes the first one only. With protocols a connection
// ends with ConnectionLost, and in place of being cancelled its transport is closed: what was written is still sent.
//
// A handler may end its own server. [Server.Shutdown] and [Server.WaitClosed] do not wait for a handler that waits in
// one of them itself: they wait until the others have returned. The handler's context ends with those of the others, when
// draining is over; what it does after that needs asyncio.Shield. ServeForever still waits for all of them.
//
// A Server belongs to its loop: its methods panic elsewhere. The memory of one connection is that of a task and its
// Conn, or that of a Transport.
type Server struct {
	loop       *engine.Loop
	ctx        context.Context // below it Start's task runs
	outer      *Server         // in one of whose handlers this server was made; nil: in none
	drain      time.Duration
	abortAfter time.Duration
	limits     limits

	serveClient   func(ln *Listener, s poller.Socket)
	stopClients   func() // tells those whom their context does not that it has ended
	watched       watch  // holds the clients
	accepted      uint32
	addresses     map[addressKey]int32
	handshakes    handshakes
	notes         notes
	listeners     []*Listener
	idle          idleBlocks
	started       bool
	owned         bool // ServeForever is under way
	closed        bool
	broken        error // what ended the last listener
	cause         error // why ServeForever ends the handlers
	accepting     context.Context
	serving       context.Context
	stopAccepting context.CancelCauseFunc
	stopServing   context.CancelCauseFunc
	room          engine.WaitQueue // where accepting waits at the limit
	changed       engine.WaitQueue // who waits for the end, or a part of it
	inside        int              // tasks of handlers that wait for the end of the others
}

// abortAfter is how long a cancelled handler may take to clean up, if nobody says.
const abortAfter = 5 * time.Second

type serverKey struct{}

// NewServer returns a server that has no listener yet and does not serve. It serves at most until ctx ends; its
// handlers have the values of ctx.
func NewServer(ctx context.Context, handler Handler, opts ...ServeOption) *Server {
	if handler == nil {
		panic("aionet: NewServer: nil handler")
	}
	s := newServer(ctx, opts)
	s.serveClient = func(ln *Listener, sock poller.Socket) { s.handle(ln, sock, handler) }
	return s
}

func newServer(ctx context.Context, opts []ServeOption) *Server {
	s := &Server{loop: engine.MustLoopOf("aionet.NewServer", ctx), ctx: ctx, abortAfter: abortAfter, limits: defaultLimits}
	s.outer, _ = ctx.Value(serverKey{}).(*Server)
	for _, set := range opts {
		set(s)
	}
	s.watched.init(s)
	s.handshakes.init(s)
	s.serving, s.stopServing = asyncio.WithCancel(context.WithValue(context.WithoutCancel(ctx), serverKey{}, s))
	s.accepting, s.stopAccepting = asyncio.WithCancel(s.serving)
	return s
}

// AddListener lets the server accept from lns, too, at once if it serves. They are its own from now on: it closes them.
// It returns an error, and takes none, if the server is closed or one of them is another loop's.
func (s *Server) AddListener(lns ...*Listener) error {
	s.check("AddListener")
	if s.closed {
		return fmt.Errorf("aionet: Server.AddListener: %w", ErrServerClosed)
	}
	for _, ln := range lns {
		if ln == nil {
			panic("aionet: Server.AddListener: nil listener")
		}
		if ln.loop != s.loop {
			return fmt.Errorf("aionet: Server.AddListener: %v is another loop's; Listener.Clone makes one for this", ln.Addr())
		}
	}
	s.listeners = append(s.listeners, lns...)
	if s.started {
		for _, ln := range lns {
			s.listen(ln)
		}
	}
	return nil
}

// Start lets the server accept connections in the background (asyncio's start_serving). When the context of NewServer
// ends, it is shut down as by [Server.ServeForever]; after [Server.Close] its connections go on until then. Starting
// again does nothing. It returns an error if the server is closed or has no listener.
func (s *Server) Start() error {
	s.check("Start")
	if s.started && !s.closed {
		return nil
	}
	if err := s.begin("Start"); err != nil {
		return err
	}
	asyncio.Go(s.ctx, func(ctx context.Context) error {
		_ = s.WaitClosed(ctx)
		s.finish(ctx)
		return nil
	}, asyncio.Name("aionet.Server"))
	return nil
}

// ServeForever accepts connections until ctx ends, [Server.Close] is called, or the last listener is closed or broken.
// Then it shuts the server down and returns, when all handlers have: the cause of ctx, nil, or what was wrong with the
// listener. It returns an error at once if the server is closed, has no listener, or is in ServeForever already.
func (s *Server) ServeForever(ctx context.Context) error {
	s.check("ServeForever")
	if s.owned && !s.closed {
		return errors.New("aionet: Server.ServeForever: it is under way already")
	}
	if s.closed || !s.started {
		if err := s.begin("ServeForever"); err != nil {
			return err
		}
	}
	s.owned = true
	s.cause = s.wait(ctx, func() bool { return s.closed })
	s.Close()
	s.finish(ctx)
	return cmp.Or(s.cause, s.broken)
}

func (s *Server) begin(call string) error {
	if s.closed {
		return fmt.Errorf("aionet: Server.%s: %w", call, ErrServerClosed)
	}
	if len(s.listeners) == 0 {
		return fmt.Errorf("aionet: Server.%s: there is no listener; AddListener adds one", call)
	}
	s.started = true
	for _, ln := range s.listeners {
		s.listen(ln)
	}
	return nil
}

func (s *Server) listen(ln *Listener) {
	asyncio.Go(s.accepting, func(ctx context.Context) error {
		err := s.acceptAll(ctx, ln)
		s.drop(ln, err)
		return nil
	})
}

// drop forgets a listener that accepts no more. A server that has lost its last one is closed.
func (s *Server) drop(ln *Listener, err error) {
	ln.Close()
	if s.closed {
		return
	}
	for i := range s.listeners {
		if s.listeners[i] == ln {
			s.listeners = append(s.listeners[:i:i], s.listeners[i+1:]...)
			break
		}
	}
	if err != nil {
		s.report("a listener is broken, and closed", err)
	}
	if len(s.listeners) == 0 {
		s.broken = err
		s.Close()
	}
}

// acceptAll returns nil when the listener or the server is closed, and an error if the listener cannot go on.
func (s *Server) acceptAll(ctx context.Context, ln *Listener) error {
	pause := time.Duration(0)
	for {
		sock, err := s.accept(ctx, ln)
		switch {
		case err == nil:
			pause = 0
			s.serveClient(ln, sock)
			continue
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.Is(err, asyncio.ErrLoopClosed):
			return nil
		case goneBeforeAccept(err):
			continue
		case brokenListener(err):
			return err
		}
		if pause == 0 {
			s.note(acceptingFailed, ln.Addr(), err)
		}
		if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && s.makeRoom() {
			pause = 0
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		if asyncio.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// accept takes a connection only when there is room for it, or when some can be made. It looks for room after each
// wait: other listeners may have taken it.
func (s *Server) accept(ctx context.Context, ln *Listener) (poller.Socket, error) {
	for {
		for s.isFull() && s.watched.silent.len() == 0 {
			s.note(limitReached, ln.Addr(), errFull)
			if err := s.room.WaitIO(ctx, (*roomWait)(s)); err != nil {
				return nil, err
			}
		}
		sock, err := ln.tryAccept(ctx)
		if err == poller.ErrAgain {
			err = ln.waitAccept(ctx)
		}
		if err != nil {
			return nil, err
		}
		if sock == nil || !s.admits(sock) {
			continue
		}
		if err := s.waitForRoom(ctx); err != nil {
			sock.Close()
			return nil, err
		}
		if s.admits(sock) {
			return sock, nil
		}
	}
}

var errFull = errors.New("there are as many connections as there may be (WithMaxConnections)")

func (s *Server) isFull() bool { return s.connections() >= s.limits.connections }

// waitForRoom makes room for a connection, if need be. That takes until a handler returns; if one does not within
// a second, another one has to go.
func (s *Server) waitForRoom(ctx context.Context) error {
	for enough := time.Duration(0); s.isFull(); {
		now := s.loop.Time()
		if now >= enough && s.makeRoom() {
			enough = now + time.Second
		}
		limit := asyncio.Forever
		if now < enough {
			limit = enough - now
		}
		err := asyncio.Timeout(ctx, limit, func(ctx context.Context) error { return s.room.WaitIO(ctx, (*roomWait)(s)) })
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// Close stops accepting and closes the listeners. Connections go on; [Server.WaitClosed] waits for them, and
// ServeForever, if it is under way, ends them. Closing again does nothing.
func (s *Server) Close() {
	s.check("Close")
	if s.closed {
		return
	}
	s.closed = true
	for _, ln := range s.listeners {
		ln.Close()
	}
	s.listeners = nil
	s.stopAccepting(ErrServerClosed)
	s.idle.cancel(ErrServerClosed)
	s.changed.WakeAll()
}

// Shutdown closes the server and ends its connections, in the steps that the type's documentation names. If ctx ends
// while handlers may still finish, those that are left are cancelled at once. It returns when the last handler has
// returned: nil if they all ended by themselves. Called in a handler, it waits for the other ones only.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Close()
	err := asyncio.Timeout(ctx, s.drain, s.WaitClosed)
	if err == nil && s.connections() > 0 {
		return nil // those that are left wait in Shutdown, too; whoever serves ends the rest
	}
	s.end(ctx)
	return err
}

// finish is Shutdown by an owner that is cancelled already.
func (s *Server) finish(ctx context.Context) {
	_ = asyncio.Shield(ctx, s.Shutdown) // what it says is known
}

// end cancels what still runs, and waits for it however long that takes.
func (s *Server) end(ctx context.Context) {
	s.stopServing(cmp.Or(s.cause, ErrServerClosed))
	if s.stopClients != nil {
		s.stopClients()
	}
	_ = asyncio.Shield(ctx, func(ctx context.Context) error {
		if asyncio.Timeout(ctx, s.abortAfter, s.WaitClosed) == nil {
			return nil
		}
		s.AbortClients()
		return s.WaitClosed(ctx) // fails only if the loop itself is ending, and everything on it
	})
	s.sayAll()
}

// WaitClosed waits until the server is closed and the last handler has returned; it ends nothing itself. Called in a
// handler, it waits for the other ones only. If ctx ends first, it returns the cause.
func (s *Server) WaitClosed(ctx context.Context) error {
	s.check("WaitClosed")
	if !s.runs(s.loop.CurrentContext()) {
		return s.wait(ctx, func() bool { return s.closed && s.connections() == 0 })
	}
	// A handler's own task, or one below it: the handler cannot return before this wait does.
	s.inside++
	defer func() { s.inside-- }()
	s.changed.WakeAll() // the others that wait in a handler have one less to wait for
	return s.wait(ctx, func() bool { return s.closed && s.connections() <= s.inside })
}

// runs reports whether ctx is that of one of the handlers, or below it, perhaps through handlers of servers in between.
func (s *Server) runs(ctx context.Context) bool {
	if ctx == nil {
		return false
	}
	in, _ := ctx.Value(serverKey{}).(*Server)
	for in != nil && in != s {
		in = in.outer
	}
	return in == s
}

func (s *Server) wait(ctx context.Context, until func() bool) error {
	for !until() {
		if err := s.changed.WaitIO(ctx, (*endWait)(s)); err != nil {
			return err
		}
	}
	return nil
}

// CloseClients closes every connection there is now, in the order in which they came: what has been written is still sent, and each handler finds its
// connection closed, each protocol has its ConnectionLost. The server goes on. A handler may call it; its own connection is
// closed with the others.
func (s *Server) CloseClients() {
	s.check("CloseClients")
	s.eachClient(connection.close)
}

// AbortClients resets every connection there is now (see [Conn.Abort]), also those whose peers do not read, in the order in
// which they came; protocols' transports it aborts. A handler may call it; its own connection is reset with the others.
func (s *Server) AbortClients() {
	s.check("AbortClients")
	s.eachClient(connection.abort)
}

// IsServing reports whether the server accepts connections.
func (s *Server) IsServing() bool { return s.started && !s.closed }

// Connections returns how many connections there are. One counts from when it is accepted, so in TLS's handshake, until its
// handler has returned and what it left is sent, or until its protocol has been told of the end.
func (s *Server) Connections() int { return s.connections() }

// Addrs returns the addresses of the listeners, none after Close.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, ln := range s.listeners {
		addrs[i] = ln.Addr()
	}
	return addrs
}

// Loop returns the server's loop.
func (s *Server) Loop() *asyncio.Loop { return s.loop.Face.(*asyncio.Loop) }

// String shows where the server listens, whether it serves, and how many connections there are.
func (s *Server) String() string {
	state := "not started"
	switch {
	case s.closed:
		state = "closed"
	case s.started:
		state = "serving"
	}
	at := ""
	for i, a := range s.Addrs() {
		at += [2]string{" on ", ", "}[min(i, 1)] + a.Network() + " " + addrString(a)
	}
	return fmt.Sprintf("a Server%s (%s, connections: %d)", at, state, s.connections())
}

// endWait and roomWait say what a task waits for.
type (
	endWait  Server
	roomWait Server
)

func (s *endWait) WaitName() string { return "the end of " + (*Server)(s).String() }

func (s *roomWait) WaitName() string {
	return fmt.Sprintf("the end of one of %d connections, which is the limit", s.limits.connections)
}

func (s *Server) check(call string) {
	if !s.loop.On() {
		panic("aionet: Server." + call + ": called on a goroutine that is not the server's loop; use asyncio.RunThreadsafe or Loop.CallSoonThreadsafe")
	}
}

func (s *Server) report(message string, err error) {
	s.loop.Report(engine.ExceptionInfo{Message: "aionet: " + message, Err: err})
}
