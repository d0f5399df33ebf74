package asyncio

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Limiter keeps to a rate: so many in a period, on the loop's clock. It is a
// bucket that holds that many tokens, is full at first, and is refilled evenly;
// to acquire is to take tokens out. So what was saved up may go in one burst,
// and in any stretch of time no more than that and what the rate gives then.
// (The package aiolimiter for asyncio and golang.org/x/time/rate do the same.)
//
// It is fair: nobody overtakes, not even a task that wants fewer tokens. It counts
// exactly, without rounding, costs a few dozen nanoseconds, 0 allocations, and a
// timer only while somebody waits. It belongs to one loop.
type Limiter struct {
	home   engine.Home
	bucket bucket
	queue  engine.WaitQueue
	wanted int          // by those in line
	alarm  engine.Alarm // fires when the first in line can have what it wants
}

// NewLimiter returns a limiter for n in the time per, at most n of them at once.
// It panics if n or per is not positive.
func NewLimiter(n int, per time.Duration) *Limiter {
	if n <= 0 || per <= 0 {
		panic(fmt.Sprintf("asyncio: NewLimiter: %d per %v; both must be positive", n, per))
	}
	return &Limiter{bucket: bucket{size: uint64(n), per: per}}
}

// Acquire takes one token, as [Limiter.AcquireN] does.
func (m *Limiter) Acquire(ctx context.Context) error { return m.AcquireN(ctx, 1) }

// AcquireN waits until there are n tokens and nobody is before it, and takes
// them. It returns an error at once if n is negative, or more than the limiter
// can ever hold.
//
// If ctx is done or ends first, AcquireN returns its cause and no token is
// taken. If its turn would come only after ctx's deadline, it does not wait for
// that, but returns an error that is a [context.DeadlineExceeded].
func (m *Limiter) AcquireN(ctx context.Context, n int) error {
	p, err := engine.Step(ctx)
	if err == nil {
		err = m.bind(p.Loop())
	}
	if err != nil {
		return err
	}
	if n < 0 || uint64(n) > m.bucket.size {
		return fmt.Errorf("asyncio: Limiter.AcquireN: %d tokens; it must be from 0 to %d, the most that there are at once", n, m.bucket.size)
	}
	if engine.CauseOf(ctx) != nil {
		return p.Wait(ctx, nil, (*waitLimiter)(m))
	}
	m.bucket.refill(m.home.Loop().Time())
	if m.queue.Empty() && m.bucket.take(n) {
		return nil
	}
	if err := m.inTime(ctx, n); err != nil {
		p.Yield()
		return err
	}
	return m.wait(ctx, p, n)
}

// TryAcquire takes a token if there is one and nobody waits for it, and reports
// whether it did. It panics if it is not called on the limiter's loop.
func (m *Limiter) TryAcquire() bool {
	m.bind(m.home.Here("Limiter.TryAcquire"))
	m.bucket.refill(m.home.Loop().Time())
	return m.queue.Empty() && m.bucket.take(1)
}

// bind makes l the limiter's loop, unless it belongs to another. On a new clock
// the bucket is full.
func (m *Limiter) bind(l *engine.Loop) error {
	if m.home.Loop() == l {
		return nil
	}
	if err := m.home.Move(l); err != nil {
		return err
	}
	m.alarm.InitAtOnce((*waitLimiter)(m))
	m.bucket = bucket{size: m.bucket.size, per: m.bucket.per}
	m.wanted = 0
	return nil
}

// wait waits in line for n tokens.
func (m *Limiter) wait(ctx context.Context, p *engine.Parking, n int) error {
	m.wanted += n
	if m.queue.Empty() {
		m.arm(n)
	}
	err := m.queue.WaitN(ctx, p, n, (*waitLimiter)(m))
	if err != nil {
		m.wanted -= n
		m.serve()
	}
	return err
}

// waitLimiter is a Limiter as what a task waits for, and its alarm.
type waitLimiter Limiter

// Fire serves those whose time has come.
func (m *waitLimiter) Fire() { (*Limiter)(m).serve() }

// WaitName names the limiter in reports.
func (m *waitLimiter) WaitName() string {
	return fmt.Sprintf("a Limiter of %d per %v", m.bucket.size, m.bucket.per)
}

// serve gives those in line what they want, as far as there is, in their order.
func (m *Limiter) serve() {
	l := m.home.Loop()
	m.bucket.refill(l.Time())
	for {
		n, ok := m.queue.FirstWants()
		if !ok {
			break
		}
		if !m.bucket.take(n) {
			m.arm(n)
			return
		}
		m.wanted -= n
		m.queue.WakeFirst()
	}
	l.Disarm(&m.alarm)
}

func (m *Limiter) arm(n int) {
	m.home.Loop().Arm(&m.alarm, engine.AddTime(m.bucket.at, m.bucket.until(n)))
}

// inTime returns an error if n tokens for who comes now would come only after
// ctx's deadline.
func (m *Limiter) inTime(ctx context.Context, n int) error {
	end, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	wait, left := m.bucket.until(m.wanted+n), end.Sub(m.home.Loop().Wall(m.bucket.at))
	if wait <= left {
		return nil
	}
	return fmt.Errorf("asyncio: Limiter: the wait of %v would end after the deadline, which is in %v: %w", wait, left, context.DeadlineExceeded)
}

// String shows the rate, how many tokens there are, and how many tasks wait.
func (m *Limiter) String() string {
	b := m.bucket
	if l := m.home.Loop(); l != nil && !l.Closed() {
		b.refill(l.Time())
	}
	return fmt.Sprintf("a Limiter (%d per %v, %d free", b.size, b.per, b.free()) + m.queue.Waiting()
}

// A bucket holds tokens, and is refilled evenly. It knows how full it is by the
// time until it is full: so nothing has to happen as time goes by. (The generic
// cell rate algorithm of ATM networks, ITU-T I.371.) Fractions of a nanosecond
// are counted, so that no rate is off by rounding.
type bucket struct {
	size  uint64        // in tokens
	per   time.Duration // to refill it all
	at    time.Duration // on the loop's clock, when what follows was true
	owed  uint64        // nanoseconds until it is full
	parts uint64        // and so many parts of one, of which size make a whole
}

// refill takes note of the time that has passed.
func (b *bucket) refill(now time.Duration) {
	passed := uint64(now - b.at)
	b.at = now
	if passed > b.owed {
		b.owed, b.parts = 0, 0
	} else {
		b.owed -= passed
	}
}

// take takes n tokens if there are so many.
func (b *bucket) take(n int) bool {
	owed, parts := b.less(n)
	if owed > uint64(b.per) || owed == uint64(b.per) && parts > 0 {
		return false
	}
	b.owed, b.parts = owed, parts
	return true
}

// until returns how long it will be until n tokens can be taken, at once or one
// after another.
func (b *bucket) until(n int) time.Duration {
	owed, parts := b.less(n)
	if parts > 0 {
		owed++
	}
	if owed <= uint64(b.per) {
		return 0
	}
	return time.Duration(min(owed-uint64(b.per), math.MaxInt64))
}

// less returns what is owed when n tokens more have been taken.
func (b *bucket) less(n int) (owed, parts uint64) {
	hi, lo := bits.Mul64(uint64(n), uint64(b.per))
	if hi >= b.size {
		return math.MaxUint64, 0
	}
	whole, parts := bits.Div64(hi, lo, b.size)
	if parts += b.parts; parts >= b.size {
		parts -= b.size
		whole++
	}
	owed, carry := bits.Add64(b.owed, whole, 0)
	if carry > 0 {
		return math.MaxUint64, 0
	}
	return owed, parts
}

// free returns how many tokens there are.
func (b *bucket) free() uint64 {
	hi, lo := bits.Mul64(uint64(b.per)-b.owed, b.size)
	lo, borrow := bits.Sub64(lo, b.parts, 0)
	n, _ := bits.Div64(hi-borrow, lo, uint64(b.per))
	return n
}
