package aiohttp

import (
	"errors"
	"fmt"
	"net"
)

// A Phase is a stage of an exchange. It reads as the beginning of a sentence
// that ends with the peer's address.
type Phase string

// The phases in which a request can fail, in their order.
const (
	PhaseRequest Phase = "prepare request to"
	PhaseWait    Phase = "wait for a connection to"
	PhaseDial    Phase = "connect to"
	PhaseProxy   Phase = "tunnel through a proxy to"
	PhaseTLS     Phase = "TLS handshake with"
	PhaseWrite   Phase = "send request to"
	PhaseHeader  Phase = "read response header from"
	PhaseBody    Phase = "read response body from"
)

// An Error says in which phase an exchange failed, with whom and why. It is
// what [Transport.RoundTrip] and the Read of a response's body return; under an
// [http.Client] it is wrapped in a [net/url.Error] that names the URL.
//
// errors.Is and errors.As see the reason: a [net.OpError] from dialling, a
// [syscall.Errno] from a connection, an [asyncio.TimeoutError], the cause of a
// cancelled context, a [ProtocolError].
type Error struct {
	Phase Phase
	Addr  string // host:port of the server
	Err   error
}

func (e *Error) Error() string { return fmt.Sprintf("aiohttp: %s %s: %v", e.Phase, e.Addr, e.Err) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the reason was a timeout.
func (e *Error) Timeout() bool {
	t, ok := errors.AsType[net.Error](e.Err)
	return ok && t.Timeout()
}

// Temporary reports the same as Timeout. It makes an Error a [net.Error].
func (e *Error) Temporary() bool { return e.Timeout() }

// A ProtocolError says how a peer broke the rules of HTTP/1.1. Its connection
// has been closed.
type ProtocolError string

func (e ProtocolError) Error() string { return string(e) }

// quoteLimit is how much of what a peer sent an error repeats, in bytes.
const quoteLimit = 64

func malformed(what, text string) error {
	if len(text) > quoteLimit {
		return ProtocolError(fmt.Sprintf("malformed %s %q... (%d bytes)", what, text[:quoteLimit], len(text)))
	}
	return ProtocolError(fmt.Sprintf("malformed %s %q", what, text))
}
