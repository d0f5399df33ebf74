package aionet_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// flood writes a MiB at a time to a peer that does not read, and returns how many writes were taken before one failed.
func flood(write func(p []byte) (int, error)) (taken int, err error) {
	chunk := make([]byte, 1<<20)
	for taken < 40 {
		if _, err = write(chunk); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

func TestWriter_peerDoesNotRead_failsAboveItsLimit(t *testing.T) {
	for name, c := range map[string]struct {
		opts []aionet.StreamOption
		most int
	}{
		"by default":   {nil, 16 << 20},
		"set":          {[]aionet.StreamOption{aionet.WithBufferLimit(3 << 20)}, 3 << 20},
		"switched off": {[]aionet.StreamOption{aionet.WithBufferLimit(math.MaxInt)}, math.MaxInt},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, network string) {
				run(t, func(ctx context.Context) error {
					conn, peer := pipe(t, ctx, network)
					defer peer.Close()
					w := aionet.NewWriter(ctx, conn, c.opts...)
					for w.Buffered() < 1<<20 { // the system has no more room
						_, err := w.Write(make([]byte, 1<<20))
						must(t, err)
					}
					draining := asyncio.Go(ctx, w.Drain)
					must(t, asyncio.Yield(ctx))
					largest := 0
					taken, err := flood(func(p []byte) (int, error) {
						n, err := w.Write(p)
						largest = max(largest, w.Buffered())
						return n, err
					})
					if c.most == math.MaxInt {
						if err != nil {
							t.Errorf("after %d: %v", taken, err)
						}
						conn.Abort()
						_, _ = draining.Await(ctx)
						return w.Close()
					}
					if !errors.Is(err, aionet.ErrBufferLimit) || largest < c.most || largest > c.most+1<<20 {
						t.Errorf("after %d writes: %v; %d bytes were waiting", taken, err, largest)
					}
					_, again := w.Write([]byte("x"))
					_, drained := draining.Await(ctx)
					for _, err := range []error{again, drained, w.Drain(ctx)} {
						if !errors.Is(err, aionet.ErrBufferLimit) {
							t.Errorf("from then on: %v", err)
						}
					}
					if w.Buffered() != 0 {
						t.Errorf("%d bytes are kept", w.Buffered())
					}
					w.Close()
					if err := w.WaitClosed(ctx); !errors.Is(err, aionet.ErrBufferLimit) {
						t.Errorf("WaitClosed = %v", err)
					}
					return nil
				})
			})
		})
	}
}

// However much a program writes, a peer that reads gets all of it.
func TestWriter_peerReads_meetsNoLimit(t *testing.T) {
	run(t, func(ctx context.Context) error {
		conn, peer := pipe(t, ctx, "tcp")
		reading := asyncio.CreateTask(ctx, func(context.Context) (int64, error) { return io.Copy(io.Discard, peer) })
		w := aionet.NewWriter(ctx, conn, aionet.WithBufferLimit(1<<20))
		const whole = 64 << 20
		_, err := w.Write(make([]byte, whole)) // one write may be of any size
		must(t, err)
		for range 64 {
			must(t, w.Drain(ctx))
			_, err := w.Write(make([]byte, 1<<20))
			must(t, err)
		}
		w.Close()
		if n, err := reading.Await(ctx); n != 2*whole || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		return nil
	})
}

// The parts of a Writev are one write.
func TestWritev_partsThatAreLargerThanTheLimit_areTaken(t *testing.T) {
	run(t, func(ctx context.Context) error {
		big := make([]byte, 8<<20) // more than has room in the system
		conn, peer := pipe(t, ctx, "unix")
		w := aionet.NewWriter(ctx, conn, aionet.WithBufferLimit(1<<20))
		n, err := w.Writev(big, big, []byte("x"))
		if n != 2*len(big)+1 || err != nil {
			t.Errorf("Writer.Writev = %d, %v", n, err)
		}
		peer.Close()
		w.Close()
		tr, other := attach(t, ctx, "unix", &recorder{})
		must(t, tr.SetBufferLimit(1<<20))
		n, err = tr.Writev(big, big, []byte("x"))
		if n != 2*len(big)+1 || err != nil {
			t.Errorf("Transport.Writev = %d, %v", n, err)
		}
		other.Close()
		tr.Abort()
		return nil
	})
}

func TestTransport_peerDoesNotRead_isLostAboveItsLimit(t *testing.T) {
	for name, set := range map[string]int{"by default": 0, "set": 3 << 20, "switched off": math.MaxInt} {
		t.Run(name, func(t *testing.T) {
			onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
				r := &recorder{}
				tr, peer := attach(t, ctx, network, r)
				defer peer.Close()
				most := 16 << 20
				if set > 0 {
					most = set
					must(t, tr.SetBufferLimit(set))
				}
				largest := 0
				taken, err := flood(func(p []byte) (int, error) {
					n, err := tr.Write(p)
					largest = max(largest, tr.WriteBufferSize())
					return n, err
				})
				if set == math.MaxInt {
					if err != nil {
						t.Errorf("after %d: %v", taken, err)
					}
					tr.Abort()
					return
				}
				if !errors.Is(err, aionet.ErrBufferLimit) || largest < most || largest > most+1<<20 {
					t.Errorf("after %d writes: %v; %d bytes were waiting", taken, err, largest)
				}
				must(t, r.wait(ctx, "lost"))
				if !errors.Is(r.err, aionet.ErrBufferLimit) {
					t.Errorf("ConnectionLost(%v)", r.err)
				}
				if err := tr.SetBufferLimit(0); err == nil {
					t.Error("a limit of 0 is taken")
				}
			})
		})
	}
}
