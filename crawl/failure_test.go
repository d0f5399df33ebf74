package crawl

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/aiohttp"
)

func TestDiagnose_kinds(t *testing.T) {
	wrapped := func(err error) error {
		return &aiohttp.Error{Phase: aiohttp.PhaseDial, Addr: "h:80", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for kind, err := range map[string]error{
		"unknown host":    wrapped(&net.DNSError{Name: "h", IsNotFound: true}),
		"name resolution": wrapped(&net.DNSError{Name: "h", IsTemporary: true}),
		"refused":         wrapped(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"reset":           wrapped(os.NewSyscallError("read", syscall.ECONNRESET)),
		"unreachable":     wrapped(syscall.ENETUNREACH),
		"timeout":         wrapped(os.ErrDeadlineExceeded),
		"certificate":     wrapped(x509.UnknownAuthorityError{}),
		"cut off":         wrapped(io.ErrUnexpectedEOF),
		"protocol":        wrapped(aiohttp.ProtocolError("x")),
		"other":           wrapped(fmt.Errorf("x")),
	} {
		f := diagnose(err)
		if f.kind != kind {
			t.Errorf("%v is %q, want %q", err, f.kind, kind)
		}
		if permanent := kind == "unknown host" || kind == "certificate"; f.again == permanent {
			t.Errorf("%s: to be tried again: %v", kind, f.again)
		}
	}
}

func TestRetryAfter_secondsAndDates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"0": 0, " 120 ": 2 * time.Minute,
		now.Add(time.Hour).Format(http.TimeFormat):    time.Hour,
		now.Add(-time.Hour).Format(http.TimeFormat):   0,
		now.Add(90 * time.Second).Format(time.RFC850): 90 * time.Second,
		now.Add(90 * time.Second).Format(time.ANSIC):  90 * time.Second,
	} {
		if got, ok := retryAfter(header, now); !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", header, got, ok, want)
		}
	}
	for _, header := range []string{"", "soon", "-5", "1.5", "99999999999999999999"} {
		if got, ok := retryAfter(header, now); ok {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestBackOff_doublesUpToABound_andDiffersFromPageToPage(t *testing.T) {
	for tries, atLeast := range map[int]time.Duration{1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second, 7: 32 * time.Second, 50: 32 * time.Second} {
		if got := backOff(tries, 15); got < atLeast || got > atLeast*3/2 {
			t.Errorf("after %d tries: %v, want %v to %v", tries, got, atLeast, atLeast*3/2)
		}
	}
	if backOff(1, 1) == backOff(1, 2) {
		t.Error("two pages wait equally long")
	}
}
