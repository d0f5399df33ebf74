package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// partsOf cuts n bytes into parts of the sizes, over and over, and returns them and the whole.
func partsOf(n int, sizes ...int) (parts [][]byte, whole []byte) {
	whole = make([]byte, n)
	for i := range whole {
		whole[i] = byte(i>>8 + i)
	}
	for i, rest := 0, whole; len(rest) > 0; i++ {
		k := min(sizes[i%len(sizes)], len(rest))
		parts, rest = append(parts, rest[:k:k]), rest[k:]
	}
	return parts, whole
}

var manyParts = map[string]struct {
	size  int
	sizes []int
}{
	"none":                     {0, nil},
	"one":                      {100, []int{100}},
	"small":                    {1000, []int{10, 300}},
	"with empty ones":          {100_000, []int{0, 1, 0, 0, 5000}},
	"huge":                     {5 << 20, []int{3<<20 + 1, 7}},
	"more than a system takes": {1_000_000, []int{1, 300, 0}},
}

func onEachVector(t *testing.T, test func(t *testing.T, network string, parts [][]byte, whole []byte)) {
	onEach(t, func(t *testing.T, network string) {
		for name, v := range manyParts {
			t.Run(name, func(t *testing.T) {
				parts, whole := partsOf(v.size, v.sizes...)
				test(t, network, parts, whole)
				if !bytes.Equal(bytes.Join(parts, nil), whole) {
					t.Error("the parts were changed")
				}
			})
		}
	})
}

// slowly reads everything, in pieces of many sizes.
func slowly(r io.Reader) (got []byte, err error) {
	for size := 1; err == nil; size = size*3%100_003 + 1 {
		p := make([]byte, size)
		var n int
		n, err = r.Read(p)
		got = append(got, p[:n]...)
	}
	if err == io.EOF {
		err = nil
	}
	return got, err
}

func TestWritev_partsArriveInOrder(t *testing.T) {
	onEachVector(t, func(t *testing.T, network string, parts [][]byte, whole []byte) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return slowly(b) })
			n, err := a.Writev(parts...)
			if n != len(whole) || err != nil {
				t.Errorf("Writev = %d, %v, want %d", n, err, len(whole))
			}
			a.Close()
			got, err := reading.Await(ctx)
			if !bytes.Equal(got, whole) {
				t.Errorf("%d bytes arrived, want %d", len(got), len(whole))
			}
			return err
		})
	})
}

func TestWritev_overTLS_partsArriveInOrder(t *testing.T) {
	for name, v := range manyParts {
		t.Run(name, func(t *testing.T) {
			parts, whole := partsOf(v.size, v.sizes...)
			run(t, func(ctx context.Context) error {
				ours, theirs := pipe(t, ctx, "tcp")
				a, b := aionet.TLSServer(ours, serverConfig()), aionet.TLSClient(theirs, clientConfig())
				reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return slowly(b) })
				if n, err := a.Writev(parts...); n != len(whole) || err != nil {
					t.Errorf("Writev = %d, %v, want %d", n, err, len(whole))
				}
				a.Close()
				got, err := reading.Await(ctx)
				if !bytes.Equal(got, whole) {
					t.Errorf("%d bytes arrived, want %d", len(got), len(whole))
				}
				return err
			})
		})
	}
}

func TestWriterWritev_partsArriveInOrder(t *testing.T) {
	onEachVector(t, func(t *testing.T, network string, parts [][]byte, whole []byte) {
		run(t, func(ctx context.Context) error {
			c, peer := pipe(t, ctx, network)
			w := aionet.NewWriter(ctx, c)
			_, err := w.WriteString("first ")
			must(t, err)
			for range 2 { // behind something, and, mostly, not
				if n, err := w.Writev(parts...); n != len(whole) || err != nil {
					t.Errorf("Writev = %d, %v, want %d", n, err, len(whole))
				}
				must(t, asyncio.Yield(ctx))
			}
			w.Close()
			got, err := slowly(peer)
			if want := bytes.Join([][]byte{[]byte("first "), whole, whole}, nil); !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived, want %d", len(got), len(want))
			}
			return errors.Join(err, w.WaitClosed(ctx))
		})
	})
}

func TestTransportWritev_partsArriveInOrder(t *testing.T) {
	onEachVector(t, func(t *testing.T, network string, parts [][]byte, whole []byte) {
		run(t, func(ctx context.Context) error {
			r := &recorder{}
			tr, peer := attach(t, ctx, network, r)
			if n, err := tr.Writev(parts...); n != len(whole) || err != nil {
				t.Errorf("Writev = %d, %v, want %d", n, err, len(whole))
			}
			tr.Close()
			got, err := slowly(peer)
			if !bytes.Equal(got, whole) {
				t.Errorf("%d bytes arrived, want %d", len(got), len(whole))
			}
			return err
		})
	})
}

func TestWritev_onAGoroutine_partsArriveInOrder(t *testing.T) {
	l := background(t)
	onEachVector(t, func(t *testing.T, network string, parts [][]byte, whole []byte) {
		client, server := twoEnds(t, network, l, l)
		defer server.Close()
		wrote := make(chan error, 1)
		go func() {
			n, err := client.(*aionet.Conn).Writev(parts...)
			if n != len(whole) && err == nil {
				err = io.ErrShortWrite
			}
			client.Close()
			wrote <- err
		}()
		got, err := slowly(server)
		if err = errors.Join(err, <-wrote); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%d bytes arrived, want %d; %v", len(got), len(whole), err)
		}
	})
}

// In a callback what there is no room for is not waited for.
func TestWritev_inACallback_takesWhatThereIsRoomFor(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		a, b := pipe(t, ctx, network)
		parts, whole := partsOf(32<<20, 1<<20, 3)
		var n int
		var failed error
		var done asyncio.Event
		asyncio.RunningLoop(ctx).CallSoon(func() {
			n, failed = a.Writev(parts...)
			done.Set()
		})
		must(t, done.Wait(ctx))
		if n == 0 || n >= len(whole) || !errors.Is(failed, aionet.ErrWouldWait) {
			t.Errorf("Writev = %d, %v", n, failed)
		}
		a.Close()
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, whole[:n]) {
			t.Errorf("%d bytes arrived, want %d; %v", len(got), n, err)
		}
	})
}

func TestWritev_cancelled_reportsExactlyWhatWasTakenAndGoesOn(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		a, b := pipe(t, ctx, network)
		parts, whole := partsOf(32<<20, 100_001, 0, 1)
		var n int
		err := asyncio.Timeout(ctx, 20*time.Millisecond, func(context.Context) (err error) {
			n, err = a.Writev(parts...)
			return err
		})
		if n == 0 || n >= len(whole) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Writev = %d, %v", n, err)
		}
		reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
		_, err = a.Writev([]byte("the "), nil, []byte("end"))
		must(t, err)
		a.Close()
		got, err := reading.Await(ctx)
		if err != nil || !bytes.Equal(got, append(whole[:n:n], "the end"...)) {
			t.Errorf("%d bytes arrived, want %d; %v", len(got), n+7, err)
		}
	})
}

// Each Writev stays in one piece, whoever else writes.
func TestWritev_byManyTasks_piecesStayWhole(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		const tasks, half = 8, 300_000
		a, b := pipe(t, ctx, network)
		writing := asyncio.Go(ctx, func(ctx context.Context) error {
			defer a.Close()
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for i := range tasks {
					g.Go(func(context.Context) (err error) {
						p := bytes.Repeat([]byte{byte(i)}, half)
						if i%2 == 0 {
							_, err = a.Writev(p, p)
						} else {
							_, err = a.Write(append(p, p...))
						}
						return err
					})
				}
				return nil
			})
		})
		got, err := io.ReadAll(b)
		must(t, err)
		_, err = writing.Await(ctx)
		must(t, err)
		if len(got) != tasks*2*half {
			t.Fatalf("%d bytes arrived", len(got))
		}
		for len(got) > 0 {
			if piece := got[:2*half]; bytes.Count(piece, piece[:1]) != len(piece) {
				t.Errorf("the piece that begins with %d has something else in it", piece[0])
			}
			got = got[2*half:]
		}
	})
}

func TestWriterWritev_besideAnotherGoroutine_staysWhole(t *testing.T) {
	run(t, func(ctx context.Context) error {
		const size, times = 50_000, 20
		parts, _ := partsOf(size, 10)
		c, peer := pipe(t, ctx, "tcp")
		w := aionet.NewWriter(ctx, c)
		reading := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(peer) })
		var begun, over atomic.Bool
		defer over.Store(true)
		other := asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.None, error) {
			return asyncio.ToThread(ctx, func() (asyncio.None, error) {
				for !over.Load() {
					w.WriteString("!")
					begun.Store(true)
				}
				return asyncio.None{}, nil
			})
		})
		for _, p := range parts {
			copy(p, "----------")
		}
		for !begun.Load() {
			must(t, asyncio.Yield(ctx))
		}
		for range times {
			_, err := w.Writev(parts...)
			must(t, err)
			must(t, w.Drain(ctx))
		}
		over.Store(true)
		_, err := other.Await(ctx)
		must(t, err)
		w.Close()
		got, err := reading.Await(ctx)
		for _, piece := range bytes.FieldsFunc(got, func(r rune) bool { return r == '!' }) {
			if len(piece)%size != 0 {
				t.Errorf("something came in between after %d bytes", len(piece)%size)
			}
		}
		return err
	})
}

func TestWritev_closed_saysSo(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		a, _ := pipe(t, ctx, network)
		a.Close()
		for _, parts := range [][][]byte{nil, {[]byte("x")}, {[]byte("x"), []byte("y")}} {
			if n, err := a.Writev(parts...); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Writev of %d parts = %d, %v", len(parts), n, err)
			}
		}
	})
}
