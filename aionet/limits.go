package aionet

import (
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
)

// limits are those of a Server. A duration of asyncio.Forever and a number of math.MaxInt are no limit.
type limits struct {
	connections  int
	perAddress   int // 0: half of connections, for public addresses only
	handshakes   int
	idle         time.Duration
	idleWhenFull time.Duration
	read         time.Duration
	write        time.Duration
	farewell     time.Duration
}

// defaultLimits are for a public port. Each option says why its value is what it is.
var defaultLimits = limits{
	connections:  1 << 16,
	handshakes:   1000,
	idle:         time.Hour,
	idleWhenFull: time.Minute,
	read:         asyncio.Forever,
	write:        time.Minute,
	farewell:     2 * time.Minute,
}

// A LimitError is why a [Server] has ended a connection by itself: what a handler's Read and Write return then, and what
// ConnectionLost is told. It is net.ErrClosed, too.
type LimitError struct {
	Option string        // whose limit it is, such as "WithIdleLimit"
	After  time.Duration // how long the server has waited
	what   string        // has been so
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("aionet: the server has ended the connection: %s for %v (%s)", e.what, e.After, e.Option)
}

// Unwrap returns net.ErrClosed.
func (e *LimitError) Unwrap() error { return net.ErrClosed }

// A ServeOption changes how a [Server] works, and so Serve and [ServeProtocol].
type ServeOption func(*Server)

// WithMaxConnections sets how many connections a server has at once: 65,536 without it, for which idle handlers
// take some 300 MB; math.MaxInt is no limit. When there are so many it stops accepting until one has ended: those that
// come wait in the system's queue, as they would for a slow server, and are refused only when that is full.
//
// But connections that have been idle for a minute do not keep others out: see [WithIdleLimitWhenFull]. (The portable poller
// may hold one more for each listener, which nobody serves yet; so may any, while it makes room.)
func WithMaxConnections(n int) ServeOption {
	mustBePositive("WithMaxConnections", n)
	return func(s *Server) { s.limits.connections = n }
}

// WithMaxPerAddress sets how many connections a server has at once with one IP address, or with one network of IPv6
// addresses (a /64, which is what one customer has). More are reset as soon as they are accepted. Unix sockets have no
// such limit.
//
// Without the option one address may have half of what [WithMaxConnections] says, so that one client cannot keep out all
// others, however it behaves. That holds for public addresses only: behind loopback, link-local and private addresses
// there often is a proxy or a whole office. Given, the option holds for all; math.MaxInt is no limit.
func WithMaxPerAddress(n int) ServeOption {
	mustBePositive("WithMaxPerAddress", n)
	return func(s *Server) { s.limits.perAddress = n }
}

// WithMaxHandshakes sets how many handshakes of TLS a server does at once, each of which takes some 50 kB and a millisecond
// of the processor: 1,000 without it; math.MaxInt is no limit. More wait for their turn, for as long as the
// handshake may take altogether ([WithHandshakeTimeout]). While some wait, handshakes that have taken a second are ended, the
// oldest first, since most peers need a few round trips.
func WithMaxHandshakes(n int) ServeOption {
	mustBePositive("WithMaxHandshakes", n)
	return func(s *Server) { s.limits.handshakes = n }
}

// WithIdleLimit sets for how long a connection may be idle: no byte comes or goes, while its handler waits to read, or its
// protocol is ready to receive. It is ended then with a [LimitError].
//
// Without the option it is an hour: a chat server's clients may say nothing for long, and dead peers are found sooner by TCP's
// keep-alive. A server whose clients ask and are answered does with a minute, as nginx has it (75 s). asyncio.Forever is no
// limit.
func WithIdleLimit(d time.Duration) ServeOption {
	mustBePositive("WithIdleLimit", d)
	return func(s *Server) { s.limits.idle = d }
}

// WithIdleLimitWhenFull sets how long a connection has to be idle for a full server to end it when another one comes:
// a minute without the option. The one that has been idle for the longest goes first, and only as many as there
// are new ones. A server that has no descriptors left is full, too. So peers that say nothing cannot keep a full server
// full. asyncio.Forever lets idle connections keep their places.
func WithIdleLimitWhenFull(d time.Duration) ServeOption {
	mustBePositive("WithIdleLimitWhenFull", d)
	return func(s *Server) { s.limits.idleWhenFull = d }
}

// WithReadLimit ends a connection to whose handler's Read nothing has come for d, also if the peer takes what is written
// to it. There is no such limit without the option, since a peer that only listens may be a good one. (Who sends a byte
// now and then is within it: an asyncio.Timeout around the reading of a whole request is the limit for that.)
func WithReadLimit(d time.Duration) ServeOption {
	mustBePositive("WithReadLimit", d)
	return func(s *Server) { s.limits.read = d }
}

// WithWriteLimit sets for how long a peer may take nothing of what is waiting to be sent to it: a minute without the
// option, as in nginx; asyncio.Forever is no limit. The connection is ended then with a [LimitError]. Of a file that the
// system sends (io.Copy from a file) it may take that long for each 256 KiB.
func WithWriteLimit(d time.Duration) ServeOption {
	mustBePositive("WithWriteLimit", d)
	return func(s *Server) { s.limits.write = d }
}

// WithFarewellLimit sets for how long a server goes on sending what a [StreamHandler] has left in its Writer when it
// returned, or a protocol in the Transport that it closed: two minutes without the option, in which 1 Mbit/s takes
// the 15 MB that are about what a Writer may hold; asyncio.Forever is no limit. What is left then is dropped. TLS has 5 s
// for what is left of it ([WithShutdownTimeout]).
func WithFarewellLimit(d time.Duration) ServeOption {
	mustBePositive("WithFarewellLimit", d)
	return func(s *Server) { s.limits.farewell = d }
}

// bufferMost is how much may wait in a Writer or Transport before the next write fails. It is far above the water marks, so
// that only those meet it who do not heed them: 16 MiB is a large picture, or a second of a fast disk, and what a
// thousand stalled peers may have cost before the server ends them.
const bufferMost = 16 << 20

// ErrBufferLimit is what a write to a [Writer] or [Transport] fails with that finds more waiting to be sent than may. The
// stream has ended then, as a part of it is missing.
var ErrBufferLimit = errors.New("the peer takes less than is written, and too much is waiting to be sent")

func bufferLimit(waiting, most int) error {
	return fmt.Errorf("%w: %d bytes, and the limit is %d (WithBufferLimit)", ErrBufferLimit, waiting, most)
}

// WithBufferLimit sets how much may wait in a [Writer] before the next Write fails with [ErrBufferLimit]: 16 MiB without it.
// So the buffer holds at most that and one write more. math.MaxInt is no limit. It panics if n is not positive.
func WithBufferLimit(n int) StreamOption {
	mustBePositive("WithBufferLimit", n)
	return func(o *streamOptions) { o.most = n }
}

// WithoutLimits switches off all limits of a server, for a port that only friends can reach. Options after it set single ones.
func WithoutLimits() ServeOption {
	return func(s *Server) {
		s.limits = limits{
			connections: math.MaxInt, perAddress: math.MaxInt, handshakes: math.MaxInt,
			idle: asyncio.Forever, idleWhenFull: asyncio.Forever, read: asyncio.Forever, write: asyncio.Forever,
			farewell: asyncio.Forever,
		}
	}
}

func mustBePositive[N int | time.Duration](option string, n N) {
	if n < 1 {
		panic("aionet: " + option + ": the limit must be positive")
	}
}
