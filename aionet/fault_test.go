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
	for _, kind := range faultKinds {
		for _, answer := range []string{"bulk", "echo"} {
			for _, world := range []string{"coroutines", "goroutines"} {
				underFaults(t, kind+" "+answer+" "+world, func(seed uint64) error {
					ends := conns{foreign: world == "goroutines", echo: answer == "echo"}
					return newConversation(seed, kind, ends, ends).hold()
				})
			}
		}
	}
}

var faultKinds = []string{"tcp", "unix", "tls", "tls unix"}

// underFaults is a subtest with one seed after another.
func underFaults(t *testing.T, name string, test func(seed uint64) error) {
	t.Run(name, func(t *testing.T) {
		faultproxy.Seeds(t, func(seed uint64) error {
			return leakcheck.Around(func() error { return test(seed) })
		})
	})
}

// A trial is what all tests with faults have: a loop, a proxy in front of a server, and a time limit.
type trial struct {
	tls          bool
	network, dir string
	plan         func(conn int) faultproxy.Plan
	clean        bool // nothing is cut, so that no error is excused
	limit        time.Duration
	reported     []error // to the exception handler
}

// newTrial has the plans of so many connections, with faults within their first size bytes.
func newTrial(seed uint64, kind string, connections, size int) trial {
	v := trial{network: "tcp", clean: true, limit: 30 * time.Second}
	v.tls = kind == "tls" || kind == "tls unix"
	if kind == "unix" || kind == "tls unix" {
		v.network = "unix"
	}
	v.plan = func(conn int) faultproxy.Plan { return faultproxy.Random(seed, conn, size) }
	for i := range connections {
		p := v.plan(i)
		v.clean = v.clean && p.Clean()
		if p.Up.End == faultproxy.Silence || p.Down.End == faultproxy.Silence {
			v.limit = 50 * time.Millisecond
		}
	}
	return v
}

// run runs main on a loop, and returns its error or what it left behind.
func (v *trial) run(main func(ctx context.Context) error) error {
	dir, err := os.MkdirTemp("", "fault")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	v.dir = dir
	report := asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { v.reported = append(v.reported, i.Err) })
	err = asyncio.Run(context.Background(), func(ctx context.Context) error {
		err := main(ctx)
		turns(ctx)
		for _, t := range asyncio.AllTasks(asyncio.RunningLoop(ctx)) {
			if t.Name() != asyncio.CurrentTask(ctx).Name() {
				err = errors.Join(err, fmt.Errorf("a task is left: %v", t))
			}
		}
		return err
	}, report)
	for _, e := range v.reported {
		if !v.excused(e) {
			err = errors.Join(err, fmt.Errorf("reported to the exception handler: %w", e))
		}
	}
	return err
}

// excused reports whether err may come of what the plans do.
func (v *trial) excused(err error) bool { return err == nil || !v.clean && documented(err) }

// endOfServer is what is wrong with the error of a server that was shut down: where nobody is told anything, the
// server's patience ends.
func (v *trial) endOfServer(err error) error {
	if isTimeout(err) && v.limit < time.Second {
		return nil
	}
	return err
}

func (v *trial) address() string {
	if v.network == "unix" {
		return v.dir + "/socket"
	}
	return "127.0.0.1:0"
}

func (v *trial) listen(ctx context.Context) (*aionet.Listener, error) {
	if v.tls {
		return aionet.ListenTLS(ctx, v.network, v.address(), serverConfig())
	}
	return aionet.Listen(ctx, v.network, v.address())
}

// within gives fn as much time as the trial has.
func (v *trial) within(ctx context.Context, fn func(ctx context.Context) error) error {
	return asyncio.Timeout(ctx, v.limit, fn)
}

// through calls fn with the address of a proxy to target.
func (v *trial) through(ctx context.Context, target net.Addr, fn func(address string)) error {
	proxy, err := faultproxy.Start(v.network, target.String(), v.plan)
	if err != nil {
		return err
	}
	fn(proxy.Addr())
	_, err = asyncio.ToThread(ctx, func() (struct{}, error) { return struct{}{}, proxy.Close() })
	return err
}

// conversation is two ends that send to each other, through a proxy, as fast as they can.
type conversation struct {
	trial
	echo             bool
	slipIn           bool // somebody sends plain text where TLS is to begin, so that it may not
	clientIs, servIs end
	client, server   talker
}

// An end is by what means a talker talks.
type end interface {
	// call connects to the address and talks. Its error is that of connecting.
	call(ctx context.Context, v *conversation, k *talker, address string) error
	// serve lets the talker talk with who connects. stop waits until it has done.
	serve(ctx context.Context, v *conversation, k *talker) (at net.Addr, stop func() error, err error)
}

func newConversation(seed uint64, kind string, client, server end) *conversation {
	r := rand.New(rand.NewPCG(seed, 1))
	size := 1 << (6 + r.IntN(13))
	v := &conversation{trial: newTrial(seed, kind, 1, size+size/4), clientIs: client, servIs: server}
	v.client = talker{size: size, salt: 1, expect: 2, random: rand.New(rand.NewPCG(seed, 2))}
	v.server = talker{size: size, salt: 2, expect: 1, random: rand.New(rand.NewPCG(seed, 3))}
	if c, ok := server.(conns); ok && c.echo {
		v.echo, v.client.expect = true, v.client.salt
	}
	return v
}

// hold runs the conversation and returns what of it broke a promise.
func (v *conversation) hold() error {
	err := v.run(func(ctx context.Context) error {
		at, stop, err := v.servIs.serve(ctx, v, &v.server)
		if err != nil {
			return err
		}
		var opened, stopped error
		err = v.through(ctx, at, func(address string) {
			opened = v.clientIs.call(ctx, v, &v.client, address)
			stopped = stop()
		})
		if !v.excused(opened) {
			err = errors.Join(err, opened)
		}
		return errors.Join(err, stopped, v.judge())
	})
	if err != nil {
		return fmt.Errorf("%w\nthe client %v\nthe server %v\n%+v", err, &v.client, &v.server, v.plan(0))
	}
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
	if v.slipIn && (v.client.began || v.server.began) {
		return errors.New("plain text was taken for the beginning of TLS, or dropped")
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
		case v.clean && (d.from.writeErr != nil || d.to.readErr != nil || d.to.got != d.from.size):
			return fmt.Errorf("%s: nothing was cut, but not everything arrived", d.name)
		case v.tls && !v.echo && d.to.began && d.to.readErr == nil && !(d.from.began && d.to.got == d.from.sent):
			return fmt.Errorf("%s: TLS took a cut for the end", d.name)
		}
	}
	return nil
}

// conns are ends that use the connections themselves.
type conns struct {
	foreign bool // on goroutines, not on the loop
	echo    bool // the server's end sends back what comes
}

// untilClosed runs serve, until the function that it returns closes ln.
func untilClosed(ctx context.Context, ln *aionet.Listener, serve func(ctx context.Context) error) (net.Addr, func() error, error) {
	serving := asyncio.Go(ctx, serve)
	return ln.Addr(), func() error {
		ln.Close()
		_, err := serving.Await(ctx)
		return err
	}, nil
}

func (e conns) serve(ctx context.Context, v *conversation, k *talker) (net.Addr, func() error, error) {
	ln, err := v.listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	return untilClosed(ctx, ln, func(ctx context.Context) error {
		return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
			if e.echo {
				v.sendBack(ctx, c)
			} else {
				e.talk(ctx, k, c, v.limit)
			}
			return nil
		}, aionet.WithDrain(v.limit))
	})
}

func (e conns) call(ctx context.Context, v *conversation, k *talker, address string) error {
	var c net.Conn
	err := v.within(ctx, func(ctx context.Context) (err error) {
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
	e.talk(ctx, k, c, v.limit)
	return c.Close()
}

func asNetConn[C net.Conn](c C, err error) (net.Conn, error) { return c, err }

func (e conns) talk(ctx context.Context, k *talker, c net.Conn, limit time.Duration) {
	if e.foreign {
		k.talkOnGoroutines(ctx, c, limit)
	} else {
		k.talk(ctx, c, limit)
	}
}

func (v *conversation) sendBack(ctx context.Context, c net.Conn) {
	_ = v.within(ctx, func(ctx context.Context) error {
		n, err := io.Copy(c, c)
		v.server.sent, v.server.got, v.server.readErr = int(n), int(n), err
		return c.(interface{ CloseWrite() error }).CloseWrite()
	})
}

// talker is one end: what it sends and expects, and how far it came.
type talker struct {
	size         int
	salt, expect byte
	random       *rand.Rand
	until        time.Time // on goroutines
	limit        int       // of a Reader

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
	narrow(c)
	_ = asyncio.Timeout(ctx, limit, func(ctx context.Context) error {
		return k.both(ctx,
			func(ctx context.Context, r *rand.Rand) { k.write(ctx, c, r) },
			func(ctx context.Context, r *rand.Rand) { k.read(ctx, c, r) })
	})
}

// both writes and reads in coroutines.
func (k *talker) both(ctx context.Context, write, read func(ctx context.Context, r *rand.Rand)) error {
	k.began = true
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for _, fn := range []func(context.Context, *rand.Rand){write, read} {
			r := rand.New(rand.NewPCG(k.random.Uint64(), 0))
			g.Go(func(ctx context.Context) error { fn(ctx, r); return nil })
		}
		return nil
	})
}

func (k *talker) talkOnGoroutines(ctx context.Context, c net.Conn, limit time.Duration) {
	k.began = true
	narrow(c)
	write := rand.New(rand.NewPCG(k.random.Uint64(), 0))
	read := rand.New(rand.NewPCG(k.random.Uint64(), 0))
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
		narrowRaw(raw)
	}
}

func narrowRaw(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 8<<10) })
}

func (k *talker) write(ctx context.Context, c net.Conn, r *rand.Rand) {
	for k.sent < k.size && k.writeErr == nil {
		p := k.next(r)
		n, err := k.try(ctx, r, c.SetWriteDeadline, func(context.Context) (int, error) { return c.Write(p) })
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
		n, err := k.try(ctx, r, c.SetReadDeadline, func(context.Context) (int, error) { return c.Read(p) })
		k.take(p[:n])
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

// next returns some of what is to be sent next.
func (k *talker) next(r *rand.Rand) []byte {
	return stream(k.salt, k.sent, min(k.size-k.sent, 1+r.IntN(1+r.IntN(1<<16))))
}

// take is given what was received.
func (k *talker) take(p []byte) {
	for i := range p {
		if p[i] != pattern(k.expect, k.got+i) {
			k.fault("byte %d is wrong", k.got+i)
			break
		}
	}
	k.got += len(p)
}

// fault notes what broke a promise; the first counts.
func (k *talker) fault(format string, args ...any) {
	if k.wrong == nil {
		k.wrong = fmt.Errorf(format, args...)
	}
}

// stream returns n bytes of what a talker sends, from an index on.
func stream(salt byte, from, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = pattern(salt, from+i)
	}
	return p
}

func pattern(salt byte, i int) byte { return salt + byte(i) ^ byte(i>>8) ^ byte(i>>16) }

// try calls fn, sometimes with so little time that it may be cancelled; that is no error, and goes on from there.
func (k *talker) try(ctx context.Context, r *rand.Rand, setDeadline func(time.Time) error,
	fn func(ctx context.Context) (int, error)) (n int, err error) {
	if r.IntN(3) > 0 {
		return fn(ctx)
	}
	little := time.Duration(r.IntN(1000)) * time.Microsecond
	if !k.until.IsZero() {
		_ = setDeadline(time.Now().Add(little))
		n, err = fn(ctx)
		_ = setDeadline(k.until)
		if isTimeout(err) && time.Now().Before(k.until) {
			err = nil
		}
		return n, err
	}
	_ = asyncio.Timeout(ctx, little, func(ctx context.Context) error {
		n, err = fn(ctx)
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
