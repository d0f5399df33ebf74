package aionet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// accepted is a connection that package net has accepted, and the client's end.
func accepted(t *testing.T, network string) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// conformance: net-server-06 sock-10
func TestAdopt_aConnectionOrAFileOfOne_worksOnTheLoop(t *testing.T) {
	for _, kind := range []string{"connection", "file"} {
		onEach(t, func(t *testing.T, network string) {
			run(t, func(ctx context.Context) error {
				server, client := accepted(t, network)
				peer := server.RemoteAddr().String()
				from := io.Closer(server)
				if kind == "file" {
					from = fileOfSocket(t, server)
					server.Close()
				}
				c, err := aionet.Adopt(ctx, from)
				if err != nil {
					return err
				}
				if c.RemoteAddr().String() != peer && network == "tcp" || c.RemoteAddr().Network() != network {
					t.Errorf("%s: the peer is %v, want %s", kind, c.RemoteAddr(), peer)
				}
				echoes := asyncio.Go(ctx, func(ctx context.Context) error { defer c.Close(); return echo(ctx, c) })
				_, err = asyncio.ToThread(ctx, func() (int, error) {
					defer client.Close()
					return 0, roundTrip(ctx, client, "hello from outside")
				})
				_, failed := echoes.Await(ctx)
				return errors.Join(err, failed)
			})
		})
	}
}

// conformance: net-server-13 server-08 stream-server-01
func TestAdoptListener_ofPackageNetOrAFile_servesAndRemovesItsFile(t *testing.T) {
	for _, kind := range []string{"listener", "file"} {
		onEach(t, func(t *testing.T, network string) {
			run(t, func(ctx context.Context) error {
				theirs, err := net.Listen(network, address(t, network))
				if err != nil {
					return err
				}
				addr := theirs.Addr().String()
				from := io.Closer(theirs)
				if kind == "file" {
					from = fileOfSocket(t, theirs)
					if u, ok := theirs.(*net.UnixListener); ok {
						u.SetUnlinkOnClose(false)
					}
					theirs.Close()
				}
				ln, err := aionet.AdoptListener(ctx, from)
				if err != nil {
					return err
				}
				s := aionet.NewServer(ctx, echo)
				if err := errors.Join(s.AddListener(ln), s.Start()); err != nil {
					return err
				}
				c := dialed(t, ctx, network, addr)
				if err := roundTrip(ctx, c, "hello"); err != nil {
					return err
				}
				c.Close()
				if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
				if _, err := os.Lstat(addr); network == "unix" && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: the socket's file is left: %v", kind, err)
				}
				if _, err := aionet.Dial(ctx, network, addr); err == nil {
					t.Errorf("%s: somebody still answers", kind)
				}
				return nil
			})
		})
	}
}

// conformance: net-unix-06
func TestAdopt_whatIsNoStreamSocket_isRefusedAndStaysOpen(t *testing.T) {
	run(t, func(ctx context.Context) error {
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			return err
		}
		defer file.Close()
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer packets.Close()
		datagrams, err := packets.(*net.UDPConn).File()
		if err != nil {
			return err
		}
		defer datagrams.Close()
		a, b := net.Pipe()
		defer b.Close()
		ours, _ := pipe(t, ctx, "tcp")
		for _, from := range []io.Closer{file, datagrams, a, ours} {
			if _, err := aionet.Adopt(ctx, from); err == nil {
				t.Errorf("Adopt took a %T", from)
			}
			if _, err := aionet.AdoptListener(ctx, from); err == nil {
				t.Errorf("AdoptListener took a %T", from)
			}
			if err := from.Close(); err != nil {
				t.Errorf("a %T was closed: %v", from, err)
			}
		}
		mustPanic(t, "Adopt: nil", func() { _, _ = aionet.Adopt(ctx, nil) })
		return nil
	})
}

func TestAdopt_ofTheOtherKind_isRefusedAndStaysOpen(t *testing.T) {
	for _, kind := range []string{"of package net", "file"} {
		onEach(t, func(t *testing.T, network string) {
			run(t, func(ctx context.Context) error {
				server, client := accepted(t, network)
				defer client.Close()
				defer server.Close()
				theirs, err := net.Listen(network, address(t, network))
				if err != nil {
					return err
				}
				defer theirs.Close()
				connection, listener := io.Closer(server), io.Closer(theirs)
				if kind == "file" {
					connection, listener = fileOfSocket(t, server), fileOfSocket(t, theirs)
				}
				if _, err := aionet.Adopt(ctx, listener); err == nil || !strings.Contains(err.Error(), "use AdoptListener") {
					t.Errorf("%s: Adopt of a listener: %v", kind, err)
				}
				if _, err := aionet.AdoptListener(ctx, connection); err == nil || !strings.Contains(err.Error(), "use Adopt") {
					t.Errorf("%s: AdoptListener of a connection: %v", kind, err)
				}
				ln, err := aionet.AdoptListener(ctx, listener) // the right call, after all
				if err != nil {
					return err
				}
				c, err := aionet.Adopt(ctx, connection)
				if err != nil {
					return err
				}
				asyncio.Go(ctx, func(ctx context.Context) error { defer c.Close(); return echo(ctx, c) })
				_, err = asyncio.ToThread(ctx, func() (int, error) {
					defer client.Close()
					return 0, roundTrip(ctx, client, "hello")
				})
				dialed(t, ctx, network, ln.Addr().String()).Close()
				return errors.Join(err, ln.Close())
			})
		})
	}
}

// fileOfSocket returns a duplicate of the descriptor of what package net has made.
func fileOfSocket(t *testing.T, of any) *os.File {
	t.Helper()
	f, err := of.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// To close a listener from another goroutine, or one of several, leaves those of its clones alone.
func TestListenerClone_onOtherLoops_sharesTheConnectionsAndIsClosedByItself(t *testing.T) {
	for name, opts := range map[string][]aionet.Option{"one queue": nil, "a port": {aionet.WithReusePort()}} {
		networks := networks
		if opts != nil {
			networks = networks[:1]
		}
		for _, network := range networks {
			other := background(t)
			run(t, func(ctx context.Context) error {
				ln, err := aionet.Listen(ctx, network, address(t, network), opts...)
				if err != nil {
					return err
				}
				clone, err := asyncio.CallOn(ctx, other, ln.Clone)
				if err != nil {
					return err
				}
				if ln.Addr().String() != clone.Addr().String() {
					t.Errorf("%s: the clone is at %v, not %v", name, clone.Addr(), ln.Addr())
				}
				// From another goroutine a socket that is not shared would be shut down.
				if _, err := asyncio.ToThread(ctx, func() (int, error) { return 0, ln.Close() }); err != nil {
					return err
				}
				if network == "unix" { // the file has gone with ln, but not the socket
					_, err := asyncio.ToThread(ctx, func() (int, error) { return 0, clone.Close() })
					return err
				}
				accept := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					return asyncio.CallOn(ctx, other, func(context.Context) (int, error) {
						c, err := clone.Accept()
						if err != nil {
							return 0, err
						}
						return 0, c.Close()
					})
				})
				c := dialed(t, ctx, network, clone.Addr().String())
				if _, err := io.ReadAll(c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := accept.Await(ctx); err != nil {
					t.Errorf("%s: the clone accepts no more: %v", name, err)
				}
				_, err = ln.Clone(ctx)
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("Clone of a closed one = %v", err)
				}
				_, err = asyncio.ToThread(ctx, func() (int, error) { return 0, clone.Close() })
				return err
			})
		}
	}
}

func TestConnFile_isTheSameConnection(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			f, err := b.File()
			if err != nil {
				return err
			}
			b.Close()
			again, err := aionet.Adopt(ctx, f)
			if err != nil {
				return err
			}
			asyncio.Go(ctx, func(ctx context.Context) error { return echo(ctx, again) })
			if err := roundTrip(ctx, a, "hello"); err != nil {
				return err
			}
			if _, err := b.File(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("File after Close = %v", err)
			}
			return a.Close()
		})
	})
}
