//go:build unix

package aionet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/faultproxy"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// What is promised of connections, whatever happens between their ends: what is read is what was written, from its
// beginning and in its order; nobody waits for ever; the end of TLS is not taken for its being cut off; nothing leaks.
func TestFaults_streams(t *testing.T) {
	for _, kind := range []string{"tcp", "unix", "tls", "tls unix"} {
		for _, answer := range []string{"bulk", "echo"} {
			for _, world := range []string{"coroutines", "goroutines"} {
				t.Run(kind+" "+answer+" "+world, func(t *testing.T) {
					faultproxy.Seeds(t, func(seed uint64) error {
						return leakcheck.Around(func() error { return newConversation(seed, kind, answer, world).hold() })
					})
				})
			}
		}
	}
}

// conversation is two ends that send to each other, through a proxy, as fast as they can.
type conversation struct {
	tls, echo      bool
	network, dir   string
	plan           faultproxy.Plan
	limit          time.Duration
	client, server talker
	reported       []error // to the exception handler
}

func newConversation(seed uint64, kind, answer, world string) *conversation {
	r := rand.New(rand.NewPCG(seed, 1))
	size := 1 << (6 + r.IntN(13))
	v := &conversation{network: "tcp", echo: answer == "echo", limit: 30 * time.Second}
	v.tls = kind == "tls" || kind == "tls unix"
	if kind == "unix" || kind == "tls unix" {
		v.network = "unix"
	}
	v.plan = faultproxy.Random(seed, 0, size+size/4)
	if v.plan.Up.End == faultproxy.Silence || v.plan.Down.End == faultproxy.Silence {
		v.limit = 50 * time.Millisecond
	}
	v.client = talker{size: size, salt: 1, random: rand.New(rand.NewPCG(seed, 2)), foreign: world == "goroutines"}
	v.server = talker{size: size, salt: 2, random: rand.New(rand.NewPCG(seed, 3)), foreign: world == "goroutines"}
	if v.echo {
		v.client.expect = v.client.salt
	} else {
		v.client.expect, v.server.expect = v.server.salt, v.client.salt
	}
	return v
}

// hold runs the conversation and returns what of it broke a promise.
func (v *conversation) hold() error {
	dir, err := os.MkdirTemp("", "fault")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	v.dir = dir
	var opened error
	report := asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { v.reported = append(v.reported, i.Err) })
	err = asyncio.Run(context.Background(), func(ctx context.Context) (err error) {
		opened, err = v.run(ctx)
		if n := len(asyncio.AllTasks(asyncio.RunningLoop(ctx))); n != 1 {
			err = errors.Join(err, fmt.Errorf("%d tasks are left", n-1))
		}
		return err
	}, report)
	if err == nil && opened == nil {
		err = v.judge()
	}
	if v.plan.Clean() || !documented(opened) {
		err = errors.Join(err, opened)
	}
	for _, e := range v.reported {
		if v.plan.Clean() || !documented(e) {
			err = errors.Join(err, fmt.Errorf("reported to the exception handler: %w", e))
		}
	}
	if err != nil {
		return fmt.Errorf("%w\nthe client %v\nthe server %v\n%+v", err, &v.client, &v.server, v.plan)
	}
	return nil
}

func (v *conversation) run(ctx context.Context) (opened, err error) {
	address := "127.0.0.1:0"
	if v.network == "unix" {
		address = v.dir + "/socket"
	}
	listen := func() (*aionet.Listener, error) { return aionet.Listen(ctx, v.network, address) }
	if v.tls {
		listen = func() (*aionet.Listener, error) {
			return aionet.ListenTLS(ctx, v.network, address, serverConfig())
		}
	}
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	serving := asyncio.Go(ctx, func(ctx context.Context) error {
		return aionet.Serve(ctx, ln, v.serve, aionet.WithDrain(v.limit))
	})
	plan := func(int) faultproxy.Plan { return v.plan }
	proxy, err := faultproxy.Start(v.network, ln.Addr().String(), plan)
	if err != nil {
		return nil, err
	}
	opened = v.call(ctx, proxy.Addr())
	ln.Close()
	_, err = serving.Await(ctx)
	_, failed := asyncio.ToThread(ctx, func() (struct{}, error) { return struct{}{}, proxy.Close() })
	return opened, errors.Join(err, failed)
}

// call is the client. Its error is that of connecting.
func (v *conversation) call(ctx context.Context, address string) error {
	var c net.Conn
	err := asyncio.Timeout(ctx, v.limit, func(ctx context.Context) (err error) {
		if v.tls {
			c, err = asNetConn(aionet.DialTLS(ctx, v.network, address, clientConfig()))
		} else {
			c, err = asNetConn(aionet.Dial(ctx, v.network, address))
		}
		return err
	})
	if err != nil {
		return err
	}
	v.client.talk(ctx, c, v.limit)
	return c.Close()
}

func asNetConn[C net.Conn](c C, err error) (net.Conn, error) { return c, err }

func (v *conversation) serve(ctx context.Context, c net.Conn) error {
	if !v.echo {
		v.server.talk(ctx, c, v.limit)
		return nil
	}
	_ = asyncio.Timeout(ctx, v.limit, func(ctx context.Context) error {
		n, err := io.Copy(c, c)
		v.server.sent, v.server.got, v.server.readErr = int(n), int(n), err
		return c.(interface{ CloseWrite() error }).CloseWrite()
	})
	return nil
}

// judge says which promise was broken.
func (v *conversation) judge() error {
	type direction struct {
		name     string
		from, to *talker
	}
	directions := []direction{{"up", &v.client, &v.server}, {"down", &v.server, &v.client}}
	if v.echo { // how much the server had read, and not yet written when that failed, is not known
		directions = []direction{{"there and back", &v.client, &v.client}}
	}
	for _, d := range directions {
		for _, err := range []error{d.from.writeErr, d.to.readErr} {
			if err != nil && !documented(err) {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			if isTimeout(err) && v.limit > time.Second {
				return fmt.Errorf("%s: it hung: %w", d.name, err)
			}
		}
		switch {
		case d.to.wrong != nil:
			return fmt.Errorf("%s: %w", d.name, d.to.wrong)
		case d.to.got > d.from.sent:
			return fmt.Errorf("%s: more was read than Write reported as written", d.name)
		case v.plan.Clean() && (d.from.writeErr != nil || d.to.readErr != nil || d.to.got != d.from.size):
			return fmt.Errorf("%s: nothing was cut, but not everything arrived", d.name)
		case v.tls && !v.echo && d.to.began && d.to.readErr == nil && d.to.got != d.from.sent:
			return fmt.Errorf("%s: TLS took a cut for the end", d.name)
		}
	}
	return nil
}

// talker is one end: what it sends and expects, and how far it came.
type talker struct {
	size         int
	salt, expect byte
	random       *rand.Rand
	foreign      bool // on goroutines, not on the loop
	until        time.Time

	began             bool
	sent, got         int
	writeErr, readErr error // nil: all was sent; the end was reached
	wrong             error
}

func (k *talker) String() string {
	return fmt.Sprintf("sent %d of %d bytes (%v), got %d (%v)", k.sent, k.size, k.writeErr, k.got, k.readErr)
}

// talk sends and receives at the same time, until both directions have ended.
func (k *talker) talk(ctx context.Context, c net.Conn, limit time.Duration) {
	k.began = true
	narrow(c)
	write := rand.New(rand.NewPCG(k.random.Uint64(), 0))
	read := rand.New(rand.NewPCG(k.random.Uint64(), 0))
	if !k.foreign {
		_ = asyncio.Timeout(ctx, limit, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				g.Go(func(ctx context.Context) error { k.write(ctx, c, write); return nil })
				g.Go(func(ctx context.Context) error { k.read(ctx, c, read); return nil })
				return nil
			})
		})
		return
	}
	k.until = time.Now().Add(limit)
	_ = c.SetDeadline(k.until)
	_ = asyncio.Shield(ctx, func(ctx context.Context) error {
		_, err := asyncio.ToThread(ctx, func() (struct{}, error) {
			var both sync.WaitGroup
			both.Go(func() { k.write(context.Background(), c, write) })
			both.Go(func() { k.read(context.Background(), c, read) })
			both.Wait()
			return struct{}{}, nil
		})
		return err
	})
}

// narrow gives c so little room that writes have to wait.
func narrow(c net.Conn) {
	if t, ok := c.(*aionet.TLSConn); ok {
		c = t.NetConn()
	}
	if raw, err := c.(*aionet.Conn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 8<<10) })
	}
}

func (k *talker) write(ctx context.Context, c net.Conn, r *rand.Rand) {
	for k.sent < k.size && k.writeErr == nil {
		p := make([]byte, min(k.size-k.sent, 1+r.IntN(1+r.IntN(1<<16))))
		for i := range p {
			p[i] = pattern(k.salt, k.sent+i)
		}
		n, err := k.try(ctx, r, c.SetWriteDeadline, func() (int, error) { return c.Write(p) })
		k.sent, k.writeErr = k.sent+n, err
	}
	if k.writeErr == nil {
		k.writeErr = c.(interface{ CloseWrite() error }).CloseWrite()
	}
}

func (k *talker) read(ctx context.Context, c net.Conn, r *rand.Rand) {
	buf := make([]byte, 1<<15)
	for {
		p := buf[:1+r.IntN(1+r.IntN(len(buf)))]
		n, err := k.try(ctx, r, c.SetReadDeadline, func() (int, error) { return c.Read(p) })
		for i := range p[:n] {
			if p[i] != pattern(k.expect, k.got+i) && k.wrong == nil {
				k.wrong = fmt.Errorf("byte %d is wrong", k.got+i)
			}
		}
		k.got += n
		switch {
		case err == io.EOF:
			return
		case err != nil:
			k.readErr = err
			c.Close()
			return
		}
	}
}

func pattern(salt byte, i int) byte { return salt + byte(i) ^ byte(i>>8) ^ byte(i>>16) }

// try calls fn, sometimes with so little time that it may be cancelled; that is no error, and goes on from there.
func (k *talker) try(ctx context.Context, r *rand.Rand, setDeadline func(time.Time) error, fn func() (int, error)) (n int, err error) {
	if r.IntN(3) > 0 {
		return fn()
	}
	little := time.Duration(r.IntN(1000)) * time.Microsecond
	if k.foreign {
		_ = setDeadline(time.Now().Add(little))
		n, err = fn()
		_ = setDeadline(k.until)
		if isTimeout(err) && time.Now().Before(k.until) {
			err = nil
		}
		return n, err
	}
	_ = asyncio.Timeout(ctx, little, func(context.Context) error {
		n, err = fn()
		return err
	})
	if isTimeout(err) && ctx.Err() == nil {
		err = nil
	}
	return n, err
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// documented reports whether err is of a kind that a cut connection or a time limit gives.
func documented(err error) bool {
	if err == nil || isTimeout(err) {
		return true
	}
	for _, kind := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOTCONN,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
