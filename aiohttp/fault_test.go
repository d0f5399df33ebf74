package aiohttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/faultproxy"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// Whatever happens between client and server, what is read of a body is right from its beginning, a body that seems
// whole is whole, errors are those of connections, nobody waits for ever, and nothing leaks.
func TestFaults_requests(t *testing.T) {
	for _, kind := range []string{"http", "https"} {
		t.Run(kind, func(t *testing.T) {
			faultproxy.Seeds(t, func(seed uint64) error {
				return leakcheck.Around(func() error { return faultyRequests(seed, kind == "https") })
			})
		})
	}
}

const faultyBody = 200_000 // bytes at most

func faultyRequests(seed uint64, secret bool) error {
	server := httptest.NewUnstartedServer(http.HandlerFunc(mirror))
	server.Config.ErrorLog = quietLog
	if secret {
		server.StartTLS()
	} else {
		server.Start()
	}
	defer server.Close()
	proxy, err := faultproxy.Start("tcp", server.Listener.Addr().String(), func(conn int) faultproxy.Plan {
		return faultproxy.Random(seed, conn, 2*faultyBody)
	})
	if err != nil {
		return err
	}
	defer proxy.Close()
	var reported error
	handler := asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
		reported = errors.Join(reported, fmt.Errorf("reported: %s: %w", i.Message, i.Err))
	})
	err = asyncio.Run(context.Background(), func(ctx context.Context) error {
		tr := NewTransport()
		if secret {
			tr.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
		}
		scheme, _, _ := bytes.Cut([]byte(server.URL), []byte(":"))
		url := string(scheme) + "://" + proxy.Addr()
		r := rand.New(rand.NewPCG(seed, 1))
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 3 {
				size, chunked := r.IntN(1+r.IntN(faultyBody)), r.IntN(2) == 0
				g.Go(func(ctx context.Context) error { return faultyRequest(ctx, tr, url, byte(i), size, chunked) })
			}
			return nil
		})
		if st := tr.Stats(); st.Open > st.Idle || st.Waiting != 0 {
			err = errors.Join(err, fmt.Errorf("what requests have left: %+v", st))
		}
		tr.CloseIdleConnections()
		return err
	}, handler)
	return errors.Join(err, reported)
}

// mirror sends the request's body back.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.Write(body)
}

// faultyRequest returns what is wrong with the outcome of a request, which may fail.
func faultyRequest(ctx context.Context, tr *Transport, url string, salt byte, size int, chunked bool) error {
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = salt + byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	var got []byte
	err := asyncio.Timeout(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(sent))
		if err != nil {
			return err
		}
		if chunked {
			req.ContentLength, req.Body = -1, io.NopCloser(io.MultiReader(bytes.NewReader(sent)))
		}
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		got, err = io.ReadAll(resp.Body)
		return err
	})
	switch {
	case !bytes.HasPrefix(sent, got):
		return fmt.Errorf("of %d bytes (chunked: %v) %d came, which are wrong: %w", size, chunked, len(got), err)
	case err == nil && len(got) < size:
		return fmt.Errorf("of %d bytes (chunked: %v) %d came, and no error", size, chunked, len(got))
	case !ofConnections(err):
		return fmt.Errorf("of %d bytes (chunked: %v) %d came: %w", size, chunked, len(got), err)
	}
	return nil
}

// ofConnections reports whether err is of a kind that a broken connection or a time limit gives.
func ofConnections(err error) bool {
	for _, kind := range []error{
		nil, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, context.DeadlineExceeded,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
