package poller

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrAgain is what a try returns that would have had to wait.
var ErrAgain = errors.New("poller: not ready, try again after Ready")

// ErrClosed is what Wait returns after Close.
var ErrClosed = errors.New("poller: closed")

// Mode is a direction of a socket, or both. Accepting counts as reading, connecting as writing.
type Mode uint8

const (
	Read Mode = 1 << iota
	Write
)

// Owner is told when a try is worth another time. Ready is called inside Wait, on its goroutine; it may be called
// without need, and for a socket that has been closed since.
type Owner interface{ Ready(m Mode) }

// Poller waits for sockets. Wait, Dial and Listen belong to one goroutine, the loop's; Wake and Close to any.
type Poller interface {
	// Wait calls Ready of the sockets that became ready and returns how many there were. It blocks for at most
	// timeout (0: not at all, negative: without limit), never shorter while nothing happens, and returns early
	// after a Wake.
	Wait(timeout time.Duration) (ready int, err error)
	// Wake makes the Wait that blocks, or else the next one that would, return at once. Many calls are one.
	Wake()
	// Len is how many sockets may still become ready. With 0, a Wait that does not block can be left out.
	Len() int
	Name() string
	Close() error

	// Listen opens a listening socket. The address holds no name that needs resolving.
	Listen(network, address string, o *Options) (Socket, error)
	// Dial begins to connect; Socket.Connect tells how it ended.
	Dial(network string, remote net.Addr, o *Options) (Socket, error)
	// Adopt makes a stream socket of this poller of one that came from elsewhere: what Socket.Share has returned, an
	// *os.File, or a net.Conn or net.Listener of package net. It must be a listening one, or a connected one, as the caller
	// says. It is taken over, and closed as far as it is not needed; on error it stays as it is.
	Adopt(from io.Closer, listening bool, o *Options) (Socket, error)
	// ListenPacket opens a socket for datagrams at an address, which holds no name that needs resolving.
	ListenPacket(network, address string, o *Options) (PacketSocket, error)
	// DialPacket opens one that exchanges datagrams with remote only. It sends nothing.
	DialPacket(network string, remote net.Addr, o *Options) (PacketSocket, error)
	// AdoptPacket makes a socket of one that package net has opened, which is closed with it or now. On error it stays.
	AdoptPacket(c PacketConn) (PacketSocket, error)
	// RemoveDead removes the file of a Unix socket at which nobody listens, and says why it may not if somebody does or it
	// is another kind of file. That there is none is no error. It blocks, and is for any goroutine.
	RemoveDead(network, path string) error
	// Watch watches a descriptor of any kind (a pipe, a terminal, a pidfd, a socket from elsewhere), which stays its
	// owner's. It is errors.ErrUnsupported on systems that cannot wait for any descriptor. It may be that one is
	// refused that is watched here already.
	Watch(fd int, o Owner, t Trigger) (Watch, error)
}

// Options are set on a socket before it connects or listens. Accepted sockets have those of their listener.
type Options struct {
	Local     net.Addr            // Dial: connect from here, nil for the system's choice
	KeepAlive net.KeepAliveConfig // TCP
	Delay     bool                // TCP: wait for more to fill a packet (Nagle), which is off by default
	ReusePort bool                // Listen, ListenPacket: let other sockets use the same address and share what comes
	Broadcast bool                // datagrams: let it send to broadcast addresses
	Mode      fs.FileMode         // Listen: the permissions of a Unix socket's file; 0: what the umask leaves
	KeepFile  bool                // Listen, Adopt: Close leaves the file of a Unix socket
}

// Tryer is a socket as one try sees it. No method waits.
type Tryer interface {
	// Read returns io.EOF at the stream's end.
	Read(p []byte) (int, error)
	// Write takes as much as there is room for.
	Write(p []byte) (int, error)
	// Writev is Write for parts in a row, none of which is empty. The parts are left as they are.
	Writev(parts [][]byte) (int, error)
	// Accept returns a connection of a listening socket.
	Accept() (Socket, error)
}

// Socket is a stream connection, or listens for some. The Tryer's methods, Peek, Connect, Arm, SetOwner
// and Close are the loop's; all others are for any goroutine.
type Socket interface {
	Tryer
	// Peek returns nil if a Read would have something to return by now, be it the end, and ErrAgain if not.
	Peek() error
	// Connect returns nil once Dial's connection stands, or why it never will.
	Connect() error
	// SetOwner comes before anything else.
	SetOwner(o Owner)
	// Arm asks for Ready as soon as a try in direction m may go better than the one before it. It lasts: until Close,
	// Ready is called each time that this becomes so, and not once. The connections of TLS rely on it, which try to
	// write what they have queued whenever there may be room.
	Arm(m Mode) error

	// Try runs fn with the socket for tries on any goroutine. It and Block are errors.ErrUnsupported in an environment whose
	// time is not the real one, in which goroutines live.
	Try(fn func(Tryer)) error
	// Block calls try until it returns true, and blocks the calling goroutine in between until direction m may
	// be ready. It returns os.ErrDeadlineExceeded or net.ErrClosed if it stopped for that. It is also called on the loop's
	// goroutine, at the loop's end, to send what closed connections of TLS have queued: an environment that refuses takes
	// all that is written at once, or loses it.
	Block(m Mode, try func(Tryer) bool) error
	// SetDeadline ends each Block in direction m at t; the zero time removes it. It does nothing to the loop's tries.
	SetDeadline(m Mode, t time.Time)
	// SendFile writes up to n bytes of f from its offset on, without a buffer in between, and blocks as Block does.
	// errors.ErrUnsupported if the system cannot do that with f, which has not been read then.
	SendFile(f File, n int64) (int64, error)

	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	SetNoDelay(on bool) error
	SetKeepAlive(c net.KeepAliveConfig) error
	SyscallConn() (syscall.RawConn, error)
	// File returns a duplicate of the descriptor, which the caller closes. errors.ErrUnsupported if the system has none.
	File() (*os.File, error)
	// Share returns a duplicate for another poller to Adopt, which the caller closes if that fails. It is the File where the
	// system has descriptors.
	Share() (io.Closer, error)
	CloseWrite() error
	CloseRead() error
	// Discard lets the Close that follows drop what has not been sent, and reset a TCP connection.
	Discard()
	// Abort cuts the connection off, frees the address of a socket that listens or is for datagrams, and ends every Block,
	// from any goroutine. Close must follow.
	Abort()
	// Close belongs to the loop while it runs. Ready may still be called once afterwards.
	Close() error
}

// Trigger is when a Watch that is armed calls Ready.
type Trigger bool

const (
	// Level: once for each Arm, as soon as the descriptor is ready, which it may have been before.
	Level Trigger = false
	// Edge: when it becomes ready, for who first tries and then arms. Arm costs little or nothing then.
	Edge Trigger = true
)

// Watch is a descriptor that is watched. All is the loop's. What is always ready, as a regular file is, or broken, is
// ready in the next Wait.
type Watch interface {
	// Arm asks for Ready in direction m, or both. With Edge it lasts, as that of a Socket does.
	Arm(m Mode) error
	// Read and Write are tries on a descriptor that does not block. They are for Edge, and know what has come of those
	// before. Read returns io.EOF at the end.
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	// Close ends the watch and leaves the descriptor open. It comes before that is closed.
	Close() error
}

// Names lists the pollers that New knows on this system, the best one first.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// New returns the poller of that name; "" is the one that the environment variable ASYNCIO_POLLER names, or else the
// best one for this system.
func New(name string) (Poller, error) {
	if name == "" {
		name = os.Getenv("ASYNCIO_POLLER")
	}
	for _, k := range kinds {
		if name == "" || name == k.name {
			return k.open()
		}
	}
	return nil, fmt.Errorf("poller: %q is not one of this system's pollers, which are %q", name, Names())
}

// File is an *os.File, also in the disguise in which its WriteTo hands it on.
type File interface {
	io.ReadSeeker
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

type kind struct {
	name string
	open func() (Poller, error)
}

// portableKind comes last in each system's list.
var portableKind = kind{"portable", newPortable}
