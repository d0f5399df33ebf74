package aionet

// This file is what the callback style asks of a program: protocols, which a [Transport] calls. Callbacks run on the
// loop, one at a time, and must not wait; they start a task for that (asyncio.Go with asyncio.Loop.Context).
//
// The style is for connections that are many and mostly idle: one of them costs about 500 bytes, and neither a
// coroutine nor a buffer. Where that does not matter, a coroutine on a [Conn] is easier to write and to read.

// A Protocol is told what happens on its [Transport], in this order: ConnectionMade, once; any number of
// DataReceived; EOFReceived, at most once; ConnectionLost, once and last. None of them is called from inside a
// method of the Transport, but in a turn of the loop of its own.
//
// A callback that panics ends its transport, with the [asyncio.PanicError], which is reported.
type Protocol interface {
	// ConnectionMade comes first.
	ConnectionMade(t Transport)
	// DataReceived is given what has arrived. p is the loop's and is good until DataReceived returns: copy what is
	// kept. The pieces are as the network has them, not as the peer wrote them.
	DataReceived(p []byte)
	// EOFReceived says that the peer will send no more. With true the transport stays open for writing (half-open),
	// with false it closes when all that was written is sent.
	EOFReceived() (keepOpen bool)
	// ConnectionLost is the end. err is nil if it came by Close, Abort or the peer's end of file.
	ConnectionLost(err error)
}

// A BufferedProtocol receives into a buffer of its own, which saves a copy. Its DataReceived is not called.
type BufferedProtocol interface {
	Protocol
	// GetBuffer returns where to put what arrives next; sizeHint is how much may come. An empty buffer is an error
	// that ends the transport. It is called again if nothing has arrived after all.
	GetBuffer(sizeHint int) []byte
	// BufferUpdated says that n bytes were put into that buffer.
	BufferUpdated(n int)
}

// A WritePauser is a [Protocol] that wants to know when it writes faster than the peer reads.
type WritePauser interface {
	// PauseWriting is called once when more waits to be sent than the high-water mark, from inside the Write that
	// brought that about, or SetWriteBufferLimits.
	PauseWriting()
	// ResumeWriting is called once when no more than the low-water mark is left. What it writes is still sent
	// if the transport is closing.
	ResumeWriting()
}

// BaseProtocol is a [Protocol] that does nothing: embed it, and write the callbacks that you need.
type BaseProtocol struct{}

func (BaseProtocol) ConnectionMade(Transport) {}
func (BaseProtocol) DataReceived([]byte)      {}
func (BaseProtocol) EOFReceived() bool        { return false }
func (BaseProtocol) ConnectionLost(error)     {}

var _ Protocol = BaseProtocol{}
