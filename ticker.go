package asyncio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ErrTickerStopped is returned by [Ticker.Wait] on a ticker that is, or gets,
// stopped.
var ErrTickerStopped = errors.New("asyncio: the ticker is stopped")

// A Ticker gives a tick each period of the loop's clock ([time.Ticker], tokio's
// Interval). It does not drift: ticks are due at multiples of the period since
// [NewTicker] or [Ticker.Reset], however long the work between them takes. What
// becomes of ticks for which nobody comes in time Missed says.
//
// Each tick goes to one task, the one that has waited longest. A Ticker is a case
// of [Select]. Waiting allocates nothing, and a timer is armed only while somebody
// waits: so a Ticker need not be stopped. It belongs to one loop. The zero Ticker
// is stopped.
type Ticker struct {
	Missed MissedTicks // may be changed at any time

	home  engine.Home
	every time.Duration // 0: stopped
	next  time.Duration // on the loop's clock, when the next tick is due
	queue engine.WaitQueue
	alarm engine.Alarm // fires then; armed while somebody waits
}

// MissedTicks says what a [Ticker] does about ticks that were due while nobody
// waited for them. The first of them is always given at once to who comes next.
type MissedTicks uint8

const (
	// SkipMissed drops the others; the next tick is due at a multiple of the
	// period again. It is what Go's tickers do.
	SkipMissed MissedTicks = iota
	// BurstMissed gives all of them, at once one after another, so that their
	// number is right. It is what tokio does unless told otherwise.
	BurstMissed
	// DelayMissed drops the others, and puts the next tick off until a whole period
	// after the late one.
	DelayMissed
)

// NewTicker returns a ticker on the loop of ctx, whose first tick is due after d.
// It is not bound to ctx otherwise. It panics if d is not positive.
func NewTicker(ctx context.Context, d time.Duration) *Ticker {
	t := &Ticker{}
	t.bind(engine.MustLoopOf("NewTicker", ctx))
	t.start("NewTicker", d)
	return t
}

// Reset makes d the period, and the next tick due after d, whether the ticker was
// stopped or not. Who waits goes on waiting, for that one. It panics if d is not
// positive.
func (t *Ticker) Reset(d time.Duration) {
	t.check("Ticker.Reset")
	t.start("Ticker.Reset", d)
	if !t.queue.Empty() {
		t.arm()
	}
}

func (t *Ticker) start(call string, d time.Duration) {
	if d <= 0 {
		panic(fmt.Sprintf("asyncio: %s: the period is %v; it must be positive", call, d))
	}
	t.every, t.next = d, engine.AddTime(t.home.Loop().Time(), d)
}

// Stop turns the ticker off until [Ticker.Reset]: who waits, and who will, gets
// [ErrTickerStopped].
func (t *Ticker) Stop() {
	t.check("Ticker.Stop")
	t.every = 0
	t.queue.Fail(ErrTickerStopped)
	t.home.Loop().Disarm(&t.alarm)
}

// check panics if the caller is not on the ticker's loop.
func (t *Ticker) check(call string) { t.bind(t.home.Here(call)) }

// bind makes l the ticker's loop, unless it belongs to another. On a new clock it
// is stopped.
func (t *Ticker) bind(l *engine.Loop) error {
	if t.home.Loop() == l {
		return nil
	}
	if err := t.home.Move(l); err != nil {
		return err
	}
	t.alarm.InitAtOnce((*waitTicker)(t))
	t.every = 0
	return nil
}

// Wait waits for the next tick. One that is due already it takes at once.
//
// If ctx is done or ends first, Wait returns its cause and no tick is taken. If
// the ticker is or gets stopped, it returns [ErrTickerStopped].
func (t *Ticker) Wait(ctx context.Context) error {
	p, err := engine.Step(ctx)
	if err == nil {
		err = t.bind(p.Loop())
	}
	if err != nil {
		return err
	}
	if engine.CauseOf(ctx) == nil {
		if done, err := t.try(); done {
			return err
		}
		t.arm()
	}
	if err = p.Wait(ctx, &t.queue, (*waitTicker)(t)); err != nil {
		t.left()
	}
	return err
}

// left disarms the alarm if nobody waits any more.
func (t *Ticker) left() {
	if t.queue.Empty() {
		t.home.Loop().Disarm(&t.alarm)
	}
}

// All returns an iterator that waits for tick after tick, and yields the time at
// each, which is that of [Now]. It ends when the ticker is stopped. If ctx ends,
// it yields the cause, and ends.
func (t *Ticker) All(ctx context.Context) iter.Seq2[time.Time, error] {
	return func(yield func(time.Time, error) bool) {
		for {
			err := t.Wait(ctx)
			if err == ErrTickerStopped && t.every == 0 { // and not ctx's cause
				return
			}
			if !yield(Now(ctx), err) || err != nil {
				return
			}
		}
	}
}

// try takes a tick that is due, if nobody waits for it, and reports whether there
// is nothing to wait for.
func (t *Ticker) try() (done bool, err error) {
	if t.every == 0 {
		return true, ErrTickerStopped
	}
	now := t.home.Loop().Time()
	if now < t.next || !t.queue.Empty() {
		return false, nil
	}
	t.advance(now, false)
	return true, nil
}

// advance takes the tick that is due. If its taker waited for it, it is late only
// if the loop was held up for so long that others were missed.
func (t *Ticker) advance(now time.Duration, waited bool) {
	late := now - t.next
	switch {
	case t.Missed == BurstMissed:
		late = 0
	case t.Missed == DelayMissed && (!waited || late >= t.every):
	default:
		late -= late % t.every
	}
	t.next = engine.AddTime(t.next+late, t.every)
}

func (t *Ticker) arm() { t.home.Loop().Arm(&t.alarm, t.next) }

// waitTicker is a Ticker as what a task waits for, and its alarm.
type waitTicker Ticker

// WaitName names the ticker in reports.
func (t *waitTicker) WaitName() string { return fmt.Sprintf("a Ticker of %v", t.every) }

// Fire gives the ticks that are due to those who wait.
func (t *waitTicker) Fire() {
	k, now := (*Ticker)(t), t.home.Loop().Time()
	for now >= k.next && k.queue.WakeFirst() != nil {
		k.advance(now, true)
	}
	if !k.queue.Empty() {
		k.arm()
	}
}

// String shows the period, when the next tick is due, and how many tasks wait.
func (t *Ticker) String() string {
	if t.every == 0 {
		return "a Ticker (stopped)"
	}
	return fmt.Sprintf("a Ticker (every %v, next at %v", t.every, t.next) + t.queue.Waiting()
}

// Every calls fn each d, on the loop's clock and without drift, until fn fails or
// ctx ends, and returns fn's error or ctx's cause. The first call is after d. fn
// runs in the calling task, so there are never two calls at once: if one takes
// longer than d, the next one follows at once, whatever else was missed is skipped,
// and then it is at multiples of d again. Every panics if d is not positive.
//
//	g.Go(func(ctx context.Context) error { return asyncio.Every(ctx, time.Minute, report) })
func Every(ctx context.Context, d time.Duration, fn func(ctx context.Context) error) error {
	if fn == nil {
		panic("asyncio: Every: nil function")
	}
	if d <= 0 {
		panic(fmt.Sprintf("asyncio: Every: the period is %v; it must be positive", d))
	}
	if _, err := engine.Step(ctx); err != nil {
		return err
	}
	t := NewTicker(ctx, d)
	for {
		if err := t.Wait(ctx); err != nil {
			return err
		}
		if err := fn(ctx); err != nil {
			return err
		}
	}
}
