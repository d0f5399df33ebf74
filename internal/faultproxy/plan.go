package faultproxy

import (
	"math/rand/v2"
	"time"
)

// A Plan says what happens to one connection.
type Plan struct {
	Up   Flow // what the client sends
	Down Flow // what the server sends
}

// Clean reports whether all that is sent arrives, however late.
func (p Plan) Clean() bool { return p.Up.End == Never && p.Down.End == Never }

// A Flow says what happens to one direction. The zero Flow passes everything on.
type Flow struct {
	Pieces   int           // the first bytes go in pieces of 1 to so many; 0: as they come
	Pause    time.Duration // up to so long now and then between two pieces, at most 20 times
	Window   int           // size of the sockets' buffers, in bytes: a slow reader takes an eighth at once; 0: the system's
	StallAt  int           // after so many bytes there is a longer pause, once
	StallFor time.Duration
	EndAt    int // after so many bytes ...
	End      End // ... this happens

	seed uint64
}

// Headers and handshakes go in small pieces; a bulk need not take for ever.
const (
	piecesUntil = 8 << 10 // bytes
	pausesMost  = 20
)

// An End is how a direction ends before its time.
type End int

const (
	Never     End = iota
	Cut           // both connections are closed, with what is still under way
	Reset         // both connections are reset
	ResetBack     // the sender's connection is reset, the receiver's closed
	HalfClose     // the receiver sees the end; what the sender still sends is dropped; the other direction goes on
	Silence       // nothing passes any more, and nobody is told
)

func (e End) String() string {
	return [...]string{"Never", "Cut", "Reset", "ResetBack", "HalfClose", "Silence"}[e]
}

// Random returns the plan of connection number conn for the seed. Of three plans, one is clean. Faults come within
// the first size bytes, early ones more often.
func Random(seed uint64, conn, size int) Plan {
	r := rand.New(rand.NewPCG(seed, uint64(conn)))
	p := Plan{Up: randomFlow(r), Down: randomFlow(r)}
	if r.IntN(3) == 0 {
		return p
	}
	ending := &p.Up
	if r.IntN(2) == 0 {
		ending = &p.Down
	}
	ending.End = Cut + End(r.IntN(int(Silence)))
	ending.EndAt = early(r, size)
	return p
}

func randomFlow(r *rand.Rand) Flow {
	f := Flow{seed: r.Uint64()}
	if r.IntN(2) == 0 {
		f.Pieces = []int{1, 3, 20, 300, 2000}[r.IntN(5)]
	}
	if r.IntN(3) == 0 {
		f.Pause = time.Duration(r.IntN(2000)) * time.Microsecond
	}
	if r.IntN(3) == 0 {
		f.Window = 1 << (13 + r.IntN(4)) // less, and TCP's own timers are all that is tested
	}
	if r.IntN(4) == 0 {
		f.StallAt, f.StallFor = early(r, 1<<16), time.Duration(r.IntN(20))*time.Millisecond
	}
	return f
}

// early returns a number below n, each order of magnitude as likely as the others.
func early(r *rand.Rand, n int) int { return r.IntN(1 + r.IntN(1+r.IntN(n))) }
