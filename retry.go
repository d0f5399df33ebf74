package asyncio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// A RetryPolicy says how often, and when, [Retry] calls again what has failed. The
// zero policy makes at most five calls.
//
// The pause before a call is drawn at random from zero to a limit, which doubles
// each time (exponential back-off with full jitter, as in "Exponential Backoff And
// Jitter" of the AWS Architecture Blog): so those that failed together do not come
// again together. The numbers are those of [Rand], so on a virtual clock the pauses
// are the same in each run. An error that says how long to wait, by a method
// RetryAfter() time.Duration (HTTP's Retry-After), is obeyed: that time comes on
// top.
//
// Not called again is what has failed when ctx is done, whatever its error; nor
// what fails with an error of [Permanent], or one that If refuses.
type RetryPolicy struct {
	MaxTries       int                  // at most so many calls; 0: 5, or any number if there is a MaxTime
	MaxTime        time.Duration        // no call begins so long after the first one; 0 or Forever: at any time
	InitialBackoff time.Duration        // the limit of the first pause; 0: 100ms
	MaxBackoff     time.Duration        // the most that the limit comes to; 0: 30s
	If             func(err error) bool // which errors are worth another call; nil: all
	Budget         *RetryBudget         // shared with others; nil: none
}

const (
	defaultTries   = 5
	defaultInitial = 100 * time.Millisecond
	defaultMost    = 30 * time.Second
)

// Retry calls fn until it succeeds, or until r says that it is enough, and returns
// its result. See [RetryPolicy.Do], which is Retry for a function without one.
//
//	page, err := asyncio.Retry(ctx, asyncio.RetryPolicy{}, fetch)
func Retry[T any](ctx context.Context, r RetryPolicy, fn Coroutine[T]) (v T, err error) {
	if fn == nil {
		panic("asyncio: Retry: nil function")
	}
	t, err := r.begin(ctx)
	if err != nil {
		return v, err
	}
	for {
		if v, err = fn(ctx); err == nil {
			t.succeeded()
			return v, nil
		}
		if err = t.failed(ctx, err); err != nil {
			return v, err
		}
	}
}

// Do calls fn until it succeeds, or until r says that it is enough. Then it
// returns the error of the last call, in a [*RetryError] that says how many there
// were. It does not wait for a call that would begin only after MaxTime, or after
// ctx's deadline, but fails at once. No call is cut short: to limit each of them,
// use [Timeout] in fn.
//
// If ctx is done when a call fails, Do returns the call's error as it is. If ctx
// ends during a pause, Do returns the cause, and its text has the last error.
func (r RetryPolicy) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		panic("asyncio: RetryPolicy.Do: nil function")
	}
	_, err := Retry(ctx, r, func(ctx context.Context) (None, error) { return None{}, fn(ctx) })
	return err
}

// A RetryError says that [Retry] has given up.
type RetryError struct {
	Tries int    // how many calls there were
	Err   error  // of the last one
	why   string // it was that one, where the error alone does not say it
}

func (e *RetryError) Error() string {
	calls := "1 try"
	if e.Tries != 1 {
		calls = fmt.Sprintf("%d tries", e.Tries)
	}
	return "asyncio: failed after " + calls + e.why + ": " + e.Err.Error()
}

// Unwrap returns the error of the last call.
func (e *RetryError) Unwrap() error { return e.Err }

// Permanent returns err in an error with which a call says that [Retry] need not
// try again. What Retry returns has err itself. It is nil if err is.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// retryAfter is an error that says how long to wait.
type retryAfter interface {
	error
	RetryAfter() time.Duration
}

// tries are the calls of a Retry.
type tries struct {
	RetryPolicy
	loop  *engine.Loop
	start time.Duration
	n     int // calls that have failed
}

func (r RetryPolicy) begin(ctx context.Context) (t tries, err error) {
	if r.MaxTries < 0 || r.MaxTime < 0 || r.InitialBackoff < 0 || r.MaxBackoff < 0 {
		panic(fmt.Sprintf("asyncio: RetryPolicy: MaxTries %d, MaxTime %v, InitialBackoff %v, MaxBackoff %v; none may be negative",
			r.MaxTries, r.MaxTime, r.InitialBackoff, r.MaxBackoff))
	}
	p, err := engine.Step(ctx)
	if err == nil && r.Budget != nil {
		err = r.Budget.home.Admit(p)
	}
	if err != nil {
		return t, err
	}
	if r.MaxTries == 0 && r.MaxTime == 0 {
		r.MaxTries = defaultTries
	}
	return tries{RetryPolicy: r, loop: p.Loop(), start: p.Loop().Time()}, nil
}

func (t *tries) succeeded() {
	if b := t.Budget; b != nil {
		b.give(int64(cmp.Or(b.Ratio, 0.1)*token + 0.5))
	}
}

// failed waits until the next call may begin, after one that has failed with err.
// It returns an error if there is to be none.
func (t *tries) failed(ctx context.Context, err error) error {
	t.n++
	if engine.CauseOf(ctx) != nil {
		return err
	}
	if _, permanent := errors.AsType[*permanentError](err); permanent {
		if p, outermost := err.(*permanentError); outermost {
			err = p.err
		}
		return t.giveUp(err, "")
	}
	if t.n == t.MaxTries || t.If != nil && !t.If(err) {
		return t.giveUp(err, "")
	}
	pause := t.pause(err)
	if limit := t.MaxTime; 0 < limit && limit < Forever && pause >= limit-(t.loop.Time()-t.start) {
		return t.giveUp(err, fmt.Sprintf(", as the next would begin after the limit of %v", limit))
	}
	if at, ok := ctx.Deadline(); ok && pause >= until(t.loop, at) {
		return t.giveUp(err, ", as the next would begin after the deadline")
	}
	if t.Budget != nil && !t.Budget.spend() {
		return t.giveUp(err, ", as the budget for retries is used up")
	}
	if cut := Sleep(ctx, pause); cut != nil {
		if t.Budget != nil {
			t.Budget.give(token)
		}
		return fmt.Errorf("%w (in a pause after failure %d: %v)", cut, t.n, err)
	}
	return nil
}

func (t *tries) giveUp(err error, why string) error {
	return &RetryError{Tries: t.n, Err: err, why: why}
}

// pause returns how long to wait before the next call.
func (t *tries) pause(err error) time.Duration {
	limit := cmp.Or(t.InitialBackoff, defaultInitial)
	most := min(cmp.Or(t.MaxBackoff, defaultMost), Forever/2)
	for n := 1; n < t.n && limit < most; n++ {
		limit *= 2
	}
	pause := time.Duration(t.loop.Rand(env.ForUsers).Int64N(int64(min(limit, most)) + 1))
	if demand, ok := errors.AsType[retryAfter](err); ok {
		pause = engine.AddTime(max(0, demand.RetryAfter()), pause)
	}
	return pause
}

// A RetryBudget keeps retries from making an overload worse: those who share it
// have that many for the successes that they see (gRPC's retry throttling,
// Finagle's retry budget). It holds Max tokens. A call that is made again takes
// one, and if there is none it is not made: [Retry] fails at once. A success gives
// Ratio tokens back. So when everything fails there are Max retries in all, and in
// the long run no more than Ratio for each success.
//
// A RetryBudget belongs to one loop. The zero value is ready to use, and full.
type RetryBudget struct {
	Max   int     // tokens; 0: 10
	Ratio float64 // of a token, given back by a success, in thousandths; 0: 0.1

	home  engine.Home
	spent int64 // thousandths of a token
}

const token = 1000

// spend takes a token if there is one.
func (b *RetryBudget) spend() bool {
	if b.spent+token > int64(cmp.Or(b.Max, 10))*token {
		return false
	}
	b.spent += token
	return true
}

// give gives back so many thousandths of a token.
func (b *RetryBudget) give(n int64) { b.spent = max(0, b.spent-n) }
