// Package conntest holds connections that serve coroutines and goroutines alike to what net.Conn promises, by
// golang.org/x/net/nettest, from every mix of the two.
package conntest

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/go-asyncio/asyncio"
)

// Run tests a type of connection in each mode, as a subtest. Open connects an end that belongs to loop a with one of
// loop b, which may be the same. It is called on the test's goroutine.
func Run(t *testing.T, open func(a, b *asyncio.Loop) (c1, c2 net.Conn, err error)) {
	coroutines := users{reads: true, writes: true}
	for _, m := range []struct {
		name          string
		first, second users
		loops         int
	}{
		{"goroutines", users{}, users{}, 1},
		{"coroutines", coroutines, coroutines, 1},
		{"mixed", users{reads: true}, users{reads: true}, 1},
		{"mixed the other way", users{writes: true}, users{writes: true}, 1},
		{"goroutine and coroutine", coroutines, users{}, 1},
		{"two loops", coroutines, coroutines, 2},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel() // it mostly waits for deadlines
			a := background(t)
			b := a
			if m.loops == 2 {
				b = background(t)
			}
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				c1, c2, err := open(a, b)
				if err != nil {
					return nil, nil, nil, err
				}
				return m.first.of(c1, a), m.second.of(c2, b), func() { c1.Close(); c2.Close() }, nil
			})
		})
	}
}

// users are the coroutines that use an end; what they do not do is left to goroutines.
type users struct{ reads, writes bool }

func (u users) of(c net.Conn, l *asyncio.Loop) net.Conn {
	if !u.reads && !u.writes {
		return c
	}
	return inCoroutines{c, l, u}
}

// inCoroutines is a connection whose deadlines, too, are set in coroutines.
type inCoroutines struct {
	net.Conn
	loop *asyncio.Loop
	users
}

func (c inCoroutines) Read(p []byte) (int, error) {
	if !c.reads {
		return c.Conn.Read(p)
	}
	return on(c.loop, func() (int, error) { return c.Conn.Read(p) })
}

func (c inCoroutines) Write(p []byte) (int, error) {
	if !c.writes {
		return c.Conn.Write(p)
	}
	return on(c.loop, func() (int, error) { return c.Conn.Write(p) })
}

func (c inCoroutines) SetDeadline(t time.Time) error      { return c.set(c.Conn.SetDeadline, t) }
func (c inCoroutines) SetReadDeadline(t time.Time) error  { return c.set(c.Conn.SetReadDeadline, t) }
func (c inCoroutines) SetWriteDeadline(t time.Time) error { return c.set(c.Conn.SetWriteDeadline, t) }

func (c inCoroutines) set(deadline func(time.Time) error, t time.Time) error {
	_, err := on(c.loop, func() (asyncio.None, error) { return asyncio.None{}, deadline(t) })
	return err
}

// on runs fn as a coroutine of l.
func on[T any](l *asyncio.Loop, fn func() (T, error)) (T, error) {
	return asyncio.RunThreadsafe(l, func(context.Context) (T, error) { return fn() }).Wait(context.Background())
}

// background is a loop that runs beside the test until it ends.
func background(t *testing.T) *asyncio.Loop {
	ctx, cancel := context.WithCancel(context.Background())
	loops := make(chan *asyncio.Loop)
	ended := make(chan error)
	go func() {
		ended <- asyncio.Run(ctx, func(ctx context.Context) error {
			loops <- asyncio.RunningLoop(ctx)
			_ = asyncio.Sleep(ctx, asyncio.Forever)
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the background loop: %v", err)
		}
	})
	return <-loops
}
