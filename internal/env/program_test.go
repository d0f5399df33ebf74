package env_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
	"github.com/go-asyncio/asyncio/internal/standin"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// certificate is a server's that was good in the year 2000, which it is in a world. Its key is of a kind whose signatures
// always have the same length.
var certificate = sync.OnceValue(func() tls.Certificate {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// newWorld returns one with a shop, a program, and a network whose delays come from the seed.
func newWorld(seed uint64) *standin.World {
	w := standin.New()
	random := rand.New(rand.NewPCG(seed, 0))
	w.Delay = func() time.Duration { return time.Duration(1+random.IntN(20)) * time.Millisecond }
	w.Names["shop.example"] = "192.0.2.1"
	w.Programs["/bin/upper"] = strings.ToUpper
	w.Roots = certificate().Certificate
	return w
}

// shop says what was ordered: over TCP, TLS and HTTP, and by datagrams. It keeps a book.
func shop(ctx context.Context) error {
	answer := func(ctx context.Context, c net.Conn) error {
		order := make([]byte, 16)
		n, err := c.Read(order)
		if err != nil {
			return err
		}
		if err := aiofile.AppendFile(ctx, "book", order[:n], 0o600); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c, "sold %s", order[:n])
		return err
	}
	plain, err := aionet.Listen(ctx, "tcp", "shop.example:7")
	if err != nil {
		return err
	}
	secure, err := aionet.ListenTLS(ctx, "tcp", "192.0.2.1:443", &tls.Config{Certificates: []tls.Certificate{certificate()}})
	if err != nil {
		return err
	}
	mail, err := aionet.ListenPacket(ctx, "udp", "192.0.2.1:25")
	if err != nil {
		return err
	}
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		g.Go(func(ctx context.Context) error { return aionet.Serve(ctx, plain, answer) })
		g.Go(func(ctx context.Context) error { return aionet.Serve(ctx, secure, answer) })
		for p := make([]byte, 16); ; {
			n, from, err := mail.ReadFrom(p)
			if err != nil {
				return err
			}
			if _, err := mail.WriteTo(append([]byte("sent "), p[:n]...), from); err != nil {
				return err
			}
		}
	})
}

// customer does a bit of everything, and returns what came of it.
func customer(ctx context.Context) (got []string, err error) {
	for _, step := range []func(context.Context) (string, error){
		func(ctx context.Context) (string, error) {
			pause := time.Duration(asyncio.Rand(ctx).IntN(1000)) * time.Millisecond
			return "paused", asyncio.Sleep(ctx, pause)
		},
		func(ctx context.Context) (string, error) {
			return buy(aionet.Dial(ctx, "tcp", "shop.example:7"))("tea")
		},
		func(ctx context.Context) (string, error) {
			return buy(aionet.DialTLS(ctx, "tcp", "shop.example:443", nil))("salt")
		},
		func(ctx context.Context) (string, error) {
			return buy(aionet.DialPacket(ctx, "udp", "shop.example:25"))("oil")
		},
		func(ctx context.Context) (string, error) {
			names, err := aionet.LookupAddr(ctx, netip.MustParseAddr("192.0.2.1"))
			return strings.Join(names, ","), err
		},
		func(ctx context.Context) (string, error) {
			return asyncio.ToThread(ctx, func() (string, error) { return "thought", nil })
		},
		keepReceipt, chat, shout, nobody,
	} {
		what, failed := step(ctx)
		got, err = append(got, what), errors.Join(err, failed)
	}
	return got, err
}

// wanted is what comes of it.
var wanted = []string{
	"paused", "sold tea", "sold salt", "sent oil", "shop.example.", "thought", "paid", "hello", "LOUD", "connection refused",
}

// buy orders over a connection, and returns the answer.
func buy[C io.ReadWriteCloser](c C, err error) func(what string) (string, error) {
	return func(what string) (string, error) {
		if err != nil {
			return "", err
		}
		defer c.Close()
		if _, err := io.WriteString(c, what); err != nil {
			return "", err
		}
		answer := make([]byte, 16)
		n, err := c.Read(answer)
		return string(answer[:n]), err
	}
}

func keepReceipt(ctx context.Context) (string, error) {
	if err := aiofile.WriteFile(ctx, "receipt", []byte("paid\nthanks\n"), 0o600, aiofile.Atomic()); err != nil {
		return "", err
	}
	if _, err := aiofile.ReadFile(ctx, "receipt"); err != nil {
		return "", err
	}
	f, err := aiofile.Open(ctx, "receipt")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for line, err := range f.Lines(ctx) {
		return string(line), err
	}
	return "", io.ErrUnexpectedEOF
}

func chat(ctx context.Context) (string, error) {
	out, err := aiofile.Stdout(ctx)
	if err != nil {
		return "", err
	}
	defer out.Close()
	r, w, err := aiofile.OpenPipe(ctx)
	if err != nil {
		return "", err
	}
	asyncio.Go(ctx, func(context.Context) error {
		defer w.Close()
		_, err := io.WriteString(w, "hello")
		return err
	})
	heard, err := io.ReadAll(io.TeeReader(r, out))
	return string(heard), errors.Join(err, r.Close())
}

func shout(ctx context.Context) (string, error) {
	upper := aioexec.Command("/bin/upper")
	upper.Stdin = strings.NewReader("loud")
	said, err := upper.Output(ctx)
	return string(said), err
}

func nobody(ctx context.Context) (string, error) {
	if _, err := aionet.Dial(ctx, "tcp", "192.0.2.1:8"); errors.Is(err, syscall.ECONNREFUSED) {
		return "connection refused", nil
	}
	return "", errors.New("somebody listens at port 8")
}

// host is a loop of a world, and what runs there.
type host struct {
	*engine.Loop
	main  *asyncio.Task[asyncio.None]
	trace *asyncio.Trace
}

func newHost(t *testing.T, w *standin.World, seed uint64, main func(ctx context.Context) error) *host {
	trace := asyncio.NewTrace(nil)
	l, err := asyncio.NewLoop(w.Option(seed).(asyncio.Option), asyncio.WithTrace(trace))
	if err != nil {
		t.Fatal(err)
	}
	return &host{engine.Unwrap(l), asyncio.Go(l.Context(), main), trace}
}

// drive steps hosts, in one goroutine, until over. The error says who waits if nothing can go on before.
func drive(w *standin.World, hosts []*host, over func() bool) error {
	for !over() {
		stepped, first := false, asyncio.Forever
		for _, h := range hosts {
			stepped = h.Poll() && h.Step() || stepped
			if when, ok := h.NextTimer(); ok {
				first = min(first, when)
			}
		}
		if !stepped && !w.Next(first) {
			var err error
			for _, h := range hosts {
				err = errors.Join(err, h.Deadlock())
			}
			return err
		}
	}
	return nil
}

// runBoth runs a shop and its customer, each on a loop of its own, and returns what has happened. It calls each between
// the steps.
func runBoth(t *testing.T, seed uint64, each func()) (log []string, w *standin.World) {
	w = newWorld(seed)
	var got []string
	seller := newHost(t, w, seed, shop)
	buyer := newHost(t, w, seed+1, func(ctx context.Context) (err error) {
		got, err = customer(ctx)
		return err
	})
	hosts := []*host{seller, buyer}
	bought := func() bool {
		each()
		return buyer.main.Done()
	}
	if err := drive(w, hosts, bought); err != nil {
		t.Fatal(err)
	}
	if err := buyer.main.Err(); err != nil || !slices.Equal(got, wanted) {
		t.Errorf("the customer has %q, want %q: %v", got, wanted, err)
	}
	seller.CancelAll(context.Canceled)
	if err := drive(w, hosts, func() bool { return seller.Tasks() == 0 }); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		if err := h.Close("test"); err != nil {
			t.Error(err)
		}
		log = append(log, fmt.Sprintf("%d steps, hash %x", h.trace.Steps(), h.trace.Hash()))
	}
	return append(log, w.Log...), w
}

func TestStandIn_aProgramOnTwoLoops_reachesNothingElse(t *testing.T) {
	before := descriptors()
	_, w := runBoth(t, 1, func() {
		if now := descriptors(); now != before {
			t.Errorf("the program has opened descriptors: there were %d, now there are %d", before, now)
		}
	})
	if book := w.Files["book"].Content; book != "teasalt" {
		t.Errorf("the shop's book has %q", book)
	}
	if w.Output() != "hello" {
		t.Errorf("standard output is %q", w.Output())
	}
}

// descriptors returns how many are open, where the system says so.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func TestStandIn_aSeed_givesTheSameTrace(t *testing.T) {
	for seed := range uint64(20) {
		first, _ := runBoth(t, seed, func() {})
		second, _ := runBoth(t, seed, func() {})
		if !slices.Equal(first, second) {
			t.Fatalf("seed %d:\n%s\nand then\n%s", seed, strings.Join(first, "\n"), strings.Join(second, "\n"))
		}
		if other, _ := runBoth(t, seed+1000, func() {}); slices.Equal(first, other) {
			t.Errorf("seeds %d and %d give the same", seed, seed+1000)
		}
	}
}

func TestStandIn_aListener_isSharedByTwoLoops(t *testing.T) {
	w := newWorld(1)
	answers := newHost(t, w, 1, func(context.Context) error { return nil })
	accept := func(ln *aionet.Listener) asyncio.Coroutine[asyncio.None] {
		return func(ctx context.Context) (asyncio.None, error) {
			clone, err := ln.Clone(ctx)
			if err != nil {
				return asyncio.None{}, err
			}
			defer clone.Close()
			c, err := clone.Accept()
			if err != nil {
				return asyncio.None{}, err
			}
			defer c.Close()
			_, err = io.Copy(c, c)
			return asyncio.None{}, err
		}
	}
	asks := newHost(t, w, 2, func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "192.0.2.1:7")
		if err != nil {
			return err
		}
		defer ln.Close()
		answering := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := asyncio.CallOn(ctx, answers.Face.(*asyncio.Loop), accept(ln))
			return err
		})
		if got, err := buy(aionet.Dial(ctx, "tcp", "shop.example:7"))("tea"); got != "tea" {
			return fmt.Errorf("the answer is %q: %w", got, err)
		}
		_, err = answering.Await(ctx)
		return err
	})
	hosts := []*host{answers, asks}
	if err := errors.Join(drive(w, hosts, asks.main.Done), asks.main.Err()); err != nil {
		t.Error(err)
	}
	for _, h := range hosts {
		if err := h.Close("test"); err != nil {
			t.Error(err)
		}
	}
}

func TestStandIn_aHostThatCrashes_isGoneForOthers(t *testing.T) {
	w := newWorld(1)
	unwound, connected := false, false
	seller := newHost(t, w, 1, func(ctx context.Context) error {
		defer func() { unwound = true }()
		return shop(ctx)
	})
	buyer := newHost(t, w, 2, func(ctx context.Context) error {
		c, err := aionet.Dial(ctx, "tcp", "shop.example:7")
		if err != nil {
			return err
		}
		defer c.Close()
		if err := asyncio.Sleep(ctx, time.Second); err != nil {
			return err
		}
		connected = true
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			return fmt.Errorf("the shop has not gone: %d bytes, %w", n, err)
		}
		_, err = nobody(ctx)
		return err
	})
	if err := drive(w, []*host{seller, buyer}, func() bool { return connected }); err != nil {
		t.Error(err)
	}
	if err := seller.Drop(); err != nil {
		t.Error(err)
	}
	if err := errors.Join(drive(w, []*host{buyer}, buyer.main.Done), buyer.main.Err(), buyer.Close("test")); err != nil {
		t.Error(err)
	}
	if !unwound {
		t.Error("the tasks of the host were not unwound")
	}
}

func TestStandIn_aGoroutineThatWouldWait_isRefused(t *testing.T) {
	w := newWorld(1)
	w.Clock.Idle = w.Next
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "192.0.2.1:7")
		if err != nil {
			return err
		}
		plain, err := aionet.Dial(ctx, "tcp", "192.0.2.1:7")
		if err != nil {
			return err
		}
		r, out, err := aiofile.OpenPipe(ctx)
		if err != nil {
			return err
		}
		mail, err := aionet.ListenPacket(ctx, "udp", "192.0.2.1:25")
		if err != nil {
			return err
		}
		client := &tls.Config{InsecureSkipVerify: true}
		secure := aionet.TLSClient(plain, client)
		defer secure.Close()
		for name, wait := range map[string]func() error{
			"Read":      func() error { _, err := plain.Read(make([]byte, 1)); return err },
			"Write":     func() error { _, err := plain.Write(make([]byte, 1)); return err },
			"Accept":    func() error { _, err := ln.Accept(); return err },
			"of TLS":    func() error { _, err := secure.Read(make([]byte, 1)); return err },
			"from pipe": func() error { _, err := r.Read(make([]byte, 1)); return err },
			"to pipe":   func() error { _, err := out.Write(make([]byte, 1)); return err },
			"datagram":  func() error { _, err := mail.Read(make([]byte, 1)); return err },
		} {
			_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) { return asyncio.None{}, wait() })
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s on a goroutine: %v", name, err)
			}
		}
		return nil
	}, w.Option(1).(asyncio.Option))
	if err != nil {
		t.Error(err)
	}
}
