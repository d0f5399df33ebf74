package crawl

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio/aiohttp"
)

// failure is why a page could not be had. As text it is "kind: what happened";
// summaries count by kind.
type failure struct {
	kind  string // "": the status says it
	err   error
	again bool          // another try may succeed
	down  bool          // all of the origin seems not to work
	pause time.Duration // the rest that the origin asks for; 0: none
}

func (f *failure) Error() string {
	if f.kind == "" {
		return f.err.Error()
	}
	return f.kind + ": " + strings.ReplaceAll(f.err.Error(), "aiohttp: ", "")
}

// kindRobots is that of pages that robots.txt keeps us from.
const kindRobots = "robots"

func (f *failure) Unwrap() error { return f.err }

// diagnose sorts the errors of requests into kinds.
func diagnose(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return &failure{kind: "unknown host", err: fmt.Errorf("there is no host %s", dns.Name), down: true}
	}
	if isCertificateError(err) {
		return &failure{kind: "certificate", err: err, down: true}
	}
	for _, k := range []struct {
		kind string
		is   bool
	}{
		{"name resolution", isA[*net.DNSError](err)},
		{"refused", errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "refused")},
		{"reset", errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)},
		{"unreachable", errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)},
		{"timeout", isTimeout(err)},
		{"tls", isA[tls.RecordHeaderError](err) || isA[tls.AlertError](err)},
		{"encoding", errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || isA[flate.CorruptInputError](err)},
		{"cut off", errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)},
		{"protocol", isA[aiohttp.ProtocolError](err)},
	} {
		if k.is {
			return &failure{kind: k.kind, err: err, again: true, down: true}
		}
	}
	return &failure{kind: "other", err: err, again: true, down: true}
}

// badStatus is the failure that an answer's status means, nil if it means none.
func badStatus(a answer, now time.Time) *failure {
	if a.status != http.StatusTooManyRequests && a.status < 500 {
		return nil
	}
	f := &failure{err: fmt.Errorf("%d %s", a.status, http.StatusText(a.status)), again: true}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		f.down = true
		f.pause, _ = retryAfter(a.header.Get("Retry-After"), now)
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		f.down = true
	}
	return f
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func isCertificateError(err error) bool {
	return isA[*tls.CertificateVerificationError](err) || isA[x509.HostnameError](err) ||
		isA[x509.UnknownAuthorityError](err) || isA[x509.CertificateInvalidError](err)
}

// backOff is how long to wait after the given number of tries: half a second,
// doubling each time up to half a minute, and up to half of that more, so that
// pages that failed together are not tried again together.
func backOff(tries int, id int64) time.Duration {
	wait := 500 * time.Millisecond << min(tries-1, 6)
	return wait + wait/2*time.Duration(id%16)/16
}

// retryAfter reads a Retry-After header, in seconds or as a date; ok is false
// if there is none that makes sense.
func retryAfter(header string, now time.Time) (wait time.Duration, ok bool) {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}
