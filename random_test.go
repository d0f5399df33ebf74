package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// This file tests the package as a whole: programs of tasks, groups, timeouts,
// shields, locks, semaphores, queues, events, sleeps, failures and
// cancellations, made at random from a seed. On the virtual clock a seed is one
// exact run, so a failing one is printed and can be replayed:
//
//	ASYNCIO_SEED=17 go test -run TestRandomPrograms .
//	ASYNCIO_RANDOM=5m go test -run TestRandomPrograms . -timeout 0
//
// What must hold whatever happens, and is checked:
//   - A lock has one holder; as many permits are out as are missing; items come
//     out once, in the order in which they went in.
//   - Who waits longer is served first; nobody waits for what is there; a
//     cancelled wait ends at once, and one that is not cancelled does not fail.
//   - A sleep takes exactly its time; no wait goes on after its deadline.
//   - Groups end after their tasks; shielded blocks are not cancelled; in the
//     end every task has ended.
//   - Every failure reaches a waiter, a group, or the exception handler.
//   - The same seed gives the same run, if no other goroutine has a say in it.
func TestRandomPrograms(t *testing.T) {
	if s := os.Getenv("ASYNCIO_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		runSeed(t, seed)
		return
	}
	first, howLong := uint64(0), 2*time.Second
	if s := os.Getenv("ASYNCIO_RANDOM"); s != "" {
		var err error
		if howLong, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
		first = rand.Uint64N(1e9)
	}
	start := time.Now()
	seed := first
	for ; time.Since(start) < howLong && !t.Failed(); seed++ {
		runSeed(t, seed)
	}
	t.Logf("%d programs from seed %d on", seed-first, first)
}

func runSeed(t *testing.T, seed uint64) {
	t.Helper()
	defer time.AfterFunc(time.Minute, func() { panic(fmt.Sprintf("seed %d: the program does not end", seed)) }).Stop()
	first := newProgram(seed)
	first.run()
	if testing.Verbose() && len(first.faults) > 0 {
		t.Log("the run:\n" + strings.Join(first.trace, "\n"))
	}
	for _, fault := range first.faults {
		t.Errorf("seed %d: %s", seed, fault)
	}
	if first.foreign {
		return
	}
	second := newProgram(seed)
	second.run()
	for i := range min(len(first.trace), len(second.trace)) {
		if first.trace[i] != second.trace[i] {
			t.Errorf("seed %d: two runs differ in step %d: %s, %s", seed, i, first.trace[i], second.trace[i])
			return
		}
	}
	if a, b := len(first.trace), len(second.trace); a != b {
		t.Errorf("seed %d: two runs took %d and %d steps", seed, a, b)
	}
}

// program is one random program and what has to be known of it to judge it.
type program struct {
	rnd     *rand.Rand
	foreign bool // uses contexts of the standard library, too, which end when a goroutine says so
	loop    *asyncio.Loop
	faults  []string
	trace   []string

	steps          int // that may still be taken
	started, ended int // tasks
	tasks          []*asyncio.Task[int]
	locks          [3]guarded
	semaphores     [2]guarded
	queues         [3]conveyor
	events         [2]signal
	failures       map[int]bool // number of each failure, and whether somebody got it
}

// line is who waits for something, in the order of their coming.
type line []context.Context

// guarded is a lock or semaphore.
type guarded struct {
	line
	lock      asyncio.Lock
	semaphore *asyncio.Semaphore
	permits   int
	out       int
}

// conveyor is a queue with what went in and what came out.
type conveyor struct {
	getters, putters line
	*asyncio.Queue[int]
	in, out []int
}

type signal struct {
	line
	asyncio.Event
}

// failure is an error that must not get lost.
type failure struct{ number int }

func (f *failure) Error() string { return fmt.Sprintf("failure %d", f.number) }

func newProgram(seed uint64) *program {
	p := &program{rnd: rand.New(rand.NewPCG(seed, 1)), foreign: seed%4 == 0, steps: 300, failures: map[int]bool{}}
	for i := range p.semaphores {
		p.semaphores[i].permits = i + 1
		p.semaphores[i].semaphore = asyncio.NewSemaphore(i + 1)
	}
	for i := range p.queues {
		p.queues[i].Queue = asyncio.NewQueue[int](i)
	}
	return p
}

func (p *program) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf("step %d: ", len(p.trace))+fmt.Sprintf(format, args...))
}

func (p *program) say(format string, args ...any) {
	text, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n") // a panic's stack has addresses
	p.trace = append(p.trace, fmt.Sprintf("%v ", p.loop.Time())+text)
}

// run runs the program and judges it.
func (p *program) run() {
	err := asyncio.Run(context.Background(), p.main, asyncio.WithVirtualClock(), asyncio.WithInterrupt(false),
		asyncio.WithWatchdog(0), asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { p.got(info.Err) }))
	if err != nil {
		p.fault("Run returned %v", err)
	}
	if p.started != p.ended {
		p.fault("%d tasks started, %d ended", p.started, p.ended)
	}
	for number, got := range p.failures {
		if !got {
			p.fault("failure %d is lost", number)
		}
	}
}

func (p *program) main(ctx context.Context) error {
	p.loop = asyncio.RunningLoop(ctx)
	var check asyncio.Timer
	check.Init(p.loop, func() { p.checkAtRest(); check.Reset(11 * time.Microsecond) })
	check.Reset(500) // all else happens at whole microseconds, and is over then
	defer check.Stop()
	p.got(asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error { return p.group(ctx, 0) }))
	if err := asyncio.Sleep(ctx, 10*time.Millisecond); err != nil {
		return err
	}
	p.checkEnd()
	return nil
}

// checkAtRest looks at what must hold when nobody is ready to run.
func (p *program) checkAtRest() {
	check := func(what string, l line, free bool) {
		for _, ctx := range l {
			if ctx.Err() != nil {
				p.fault("%s: a wait goes on although its context is done", what)
			} else if free {
				p.fault("%s: a task waits for what is there", what)
			}
		}
	}
	for i := range p.locks {
		check("lock", p.locks[i].line, p.locks[i].out == 0)
	}
	for i := range p.semaphores {
		check("semaphore", p.semaphores[i].line, p.semaphores[i].out < p.semaphores[i].permits)
	}
	for i := range p.queues {
		q := &p.queues[i]
		items := len(q.in) - len(q.out)
		check("get", q.getters, items > 0)
		check("put", q.putters, q.Limit() == 0 || items < q.Limit())
	}
	for i := range p.events {
		check("event", p.events[i].line, p.events[i].IsSet())
	}
}

// checkEnd looks at what must hold when all is over.
func (p *program) checkEnd() {
	for _, task := range p.tasks {
		if !task.Done() {
			p.fault("%v has not ended", task)
		}
	}
	for i := range p.locks {
		if g := &p.locks[i]; g.lock.Locked() || g.out != 0 || len(g.line) > 0 {
			p.fault("lock %d at the end: locked %v, %d holders, %d wait", i, g.lock.Locked(), g.out, len(g.line))
		}
	}
	for i := range p.semaphores {
		g := &p.semaphores[i]
		for range g.permits {
			if !g.semaphore.TryAcquire() {
				p.fault("semaphore %d: a permit is lost", i)
			}
		}
		if g.semaphore.TryAcquire() {
			p.fault("semaphore %d: a permit too many", i)
		}
	}
	for i := range p.queues {
		q := &p.queues[i]
		if all := append(q.out, rest(q.Queue)...); !slices.Equal(all, q.in) {
			p.fault("queue %d: %v went in, %v came out", i, q.in, all)
		}
	}
}

// got notes the failures that err brings.
func (p *program) got(err error) {
	switch e := err.(type) {
	case *failure:
		p.failures[e.number] = true
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			p.got(err)
		}
	case interface{ Unwrap() error }:
		p.got(e.Unwrap())
	}
}

func (p *program) fail() *failure {
	f := &failure{len(p.failures)}
	p.failures[f.number] = false
	return f
}

// task is the function of every task.
func (p *program) task(depth int, calm bool) func(ctx context.Context) (int, error) {
	number := p.started
	p.started++
	return func(ctx context.Context) (int, error) {
		defer func() { p.ended++ }()
		p.say("task %d starts", number)
		err := p.block(ctx, depth, calm)
		p.say("task %d: %v", number, err)
		switch p.rnd.IntN(40) {
		case 0, 1:
			p.got(err)
			return number, p.fail()
		case 2:
			p.got(err)
			panic(p.fail())
		case 3:
			p.got(err)
			runtime.Goexit()
		}
		return number, err
	}
}

// block takes some steps. An error mostly ends it, but not always: then the next
// step runs under a cancelled context.
func (p *program) block(ctx context.Context, depth int, calm bool) error {
	for range 1 + p.rnd.IntN(4) {
		if p.steps--; p.steps < 0 {
			return nil
		}
		if err := p.step(ctx, depth+1, calm); err != nil {
			if p.rnd.IntN(4) > 0 {
				return err
			}
			p.got(err)
		}
	}
	return nil
}

// step does one thing. A calm one waits for nothing that might never happen.
func (p *program) step(ctx context.Context, depth int, calm bool) error {
	kinds := 22
	if calm {
		kinds = 4
	}
	switch kind := p.rnd.IntN(kinds); {
	case kind < 2:
		return p.sleep(ctx)
	case kind == 2:
		return asyncio.Yield(ctx)
	case depth > 6:
		return p.sleep(ctx)
	case kind == 3:
		return p.shield(ctx, depth)
	case kind < 6:
		return p.lock(ctx, depth)
	case kind < 8:
		return p.semaphore(ctx, depth)
	case kind < 10:
		return p.put(ctx)
	case kind < 12:
		return p.get(ctx)
	case kind == 12:
		return p.event(ctx)
	case kind == 13:
		return p.timeout(ctx, depth)
	case kind == 14:
		return p.cancelScope(ctx, depth)
	case kind < 17:
		return p.group(ctx, depth)
	case kind < 19:
		p.tasks = append(p.tasks, asyncio.CreateTask(ctx, p.task(depth, false)))
		return nil
	case kind == 19 && len(p.tasks) > 0:
		task := p.tasks[p.rnd.IntN(len(p.tasks))]
		p.say("cancel %s: %v", task.Name(), task.Cancel())
		return nil
	case kind == 20 && len(p.tasks) > 0:
		return p.await(ctx)
	default:
		p.later(func() { p.events[p.rnd.IntN(len(p.events))].Set() })
		return nil
	}
}

func (p *program) microseconds(n int) time.Duration {
	return time.Duration(p.rnd.IntN(n)) * time.Microsecond
}

// later lets fn run in a callback, sooner or later.
func (p *program) later(fn func()) {
	if d := p.microseconds(20); d > 0 {
		p.loop.CallLater(d, fn)
	} else {
		p.loop.CallSoon(fn)
	}
}

func (p *program) sleep(ctx context.Context) error {
	d, start, done := p.microseconds(30), p.loop.Time(), ctx.Err() != nil
	err := asyncio.Sleep(ctx, d)
	p.checkWait("sleep", ctx, done, err)
	if took := p.loop.Time() - start; err == nil && took != d || done && took != 0 {
		p.fault("a sleep of %v took %v: %v", d, took, err)
	}
	p.say("slept %v: %v", d, err)
	return err
}

// checkWait judges the end of a wait that began under a context which was done
// or not.
func (p *program) checkWait(what string, ctx context.Context, done bool, err error) {
	if done && err == nil {
		p.fault("%s under a done context succeeded", what)
	}
	if err != nil && ctx.Err() == nil {
		p.fault("%s failed although its context is not done: %v", what, err)
	}
	if err != nil && err != context.Cause(ctx) {
		p.fault("%s failed with %v and not with the cause %v", what, err, context.Cause(ctx))
	}
	if end, ok := ctx.Deadline(); ok && !done && p.loop.Now().After(end) {
		p.fault("%s went on until %v after its deadline", what, p.loop.Now().Sub(end))
	}
}

// inLine waits by wait, and checks that nobody overtakes. Who finds free what
// it wants overtakes nobody: those who wait have been promised theirs, or else
// they would be in line according to text.
func (p *program) inLine(what string, free bool, text fmt.Stringer, l *line, ctx context.Context, wait func() error) error {
	if s := text.String(); free && (strings.Contains(s, "wait") || strings.Contains(s, " "+what)) {
		p.fault("%s: is free although somebody waits: %s", what, s)
	}
	ctx = context.WithValue(ctx, program{}.rnd, what) // an identity of its own
	*l = append(*l, ctx)
	done := ctx.Err() != nil
	err := wait()
	i := slices.Index(*l, ctx)
	if err == nil && !free {
		for _, before := range (*l)[:i] {
			if before.Err() == nil {
				p.fault("%s: somebody overtook", what)
			}
		}
	}
	*l = slices.Delete(*l, i, i+1)
	p.checkWait(what, ctx, done, err)
	p.say("%s: %v", what, err)
	return err
}

func (p *program) lock(ctx context.Context, depth int) error {
	g := &p.locks[p.rnd.IntN(len(p.locks))]
	if p.rnd.IntN(4) == 0 {
		if !g.lock.TryAcquire(ctx) {
			return nil
		}
	} else if err := p.inLine("lock", !g.lock.Locked(), &g.lock, &g.line, ctx, func() error { return g.lock.Acquire(ctx) }); err != nil {
		return err
	}
	if g.out++; g.out > 1 {
		p.fault("%d hold a lock", g.out)
	}
	defer p.giveBack(func() { g.out--; g.lock.Release() })
	return p.block(ctx, depth, false)
}

func (p *program) semaphore(ctx context.Context, depth int) error {
	g := &p.semaphores[p.rnd.IntN(len(p.semaphores))]
	if p.rnd.IntN(4) == 0 {
		if !g.semaphore.TryAcquire() {
			return nil
		}
	} else if err := p.inLine("semaphore", !g.semaphore.Locked(), g.semaphore, &g.line, ctx, func() error { return g.semaphore.Acquire(ctx) }); err != nil {
		return err
	}
	if g.out++; g.out > g.permits {
		p.fault("%d of %d permits are out", g.out, g.permits)
	}
	defer p.giveBack(func() { g.out--; g.semaphore.Release() })
	return p.block(ctx, depth, false)
}

// giveBack releases something, now or in a callback.
func (p *program) giveBack(release func()) {
	if p.rnd.IntN(3) == 0 {
		p.later(release)
	} else {
		release()
	}
}

func (p *program) put(ctx context.Context) error {
	q := &p.queues[p.rnd.IntN(len(p.queues))]
	item := p.rnd.Int()
	var err error
	if p.rnd.IntN(4) == 0 {
		if q.TryPut(item) != nil {
			return nil
		}
	} else {
		err = p.inLine("put", !q.Full(), q, &q.putters, ctx, func() error { return q.Put(ctx, item) })
	}
	if err == nil {
		q.in = append(q.in, item)
		if n := len(q.in) - len(q.out); q.Limit() > 0 && n > q.Limit() {
			p.fault("%d items in a queue for %d", n, q.Limit())
		}
	}
	return err
}

func (p *program) get(ctx context.Context) error {
	q := &p.queues[p.rnd.IntN(len(p.queues))]
	var item int
	var err error
	if p.rnd.IntN(4) == 0 {
		if item, err = q.TryGet(); err != nil {
			return nil
		}
	} else {
		err = p.inLine("get", !q.Empty(), q, &q.getters, ctx, func() error {
			item, err = q.Get(ctx)
			return err
		})
	}
	if err == nil {
		q.out = append(q.out, item)
		if n := len(q.out); n > len(q.in) || q.in[n-1] != item {
			p.fault("an item came out of its turn")
		}
	}
	return err
}

func (p *program) event(ctx context.Context) error {
	e := &p.events[p.rnd.IntN(len(p.events))]
	switch {
	case p.rnd.IntN(3) == 0:
		e.Clear()
		return nil
	case e.IsSet():
		return e.Wait(ctx)
	}
	return p.inLine("event", false, e, &e.line, ctx, func() error { return e.Wait(ctx) })
}

func (p *program) timeout(ctx context.Context, depth int) error {
	d, start, done := p.microseconds(50), p.loop.Time(), ctx.Err() != nil
	var inner context.Context
	err := asyncio.Timeout(ctx, d, func(ctx context.Context) error {
		inner = ctx
		if (d <= 0 || done) != (ctx.Err() != nil) {
			p.fault("a timeout of %v begins with %v", d, ctx.Err())
		}
		return p.block(ctx, depth, false)
	})
	if inner.Err() == nil {
		p.fault("a timeout's context is alive after its end")
	}
	var timeout *asyncio.TimeoutError
	if errors.As(err, &timeout) && timeout == context.Cause(inner) && timeout != context.Cause(ctx) && p.loop.Time() < start+d {
		p.fault("a timeout of %v came after %v", d, p.loop.Time()-start)
	}
	p.say("timeout: %v", err)
	return err
}

// cancelScope runs a block that a callback cancels.
func (p *program) cancelScope(ctx context.Context, depth int) error {
	inner, cancel := asyncio.WithCancel(ctx)
	if p.foreign && p.rnd.IntN(2) == 0 {
		inner, cancel = context.WithCancelCause(ctx)
	}
	defer cancel(nil)
	p.later(func() { cancel(nil) })
	return p.block(inner, depth, false)
}

// shield runs a calm block that nobody can cancel.
func (p *program) shield(ctx context.Context, depth int) error {
	check := func(ctx context.Context) error {
		err := p.block(ctx, depth, true)
		if ctx.Err() != nil {
			p.fault("a shielded block was cancelled: %v", ctx.Err())
		}
		return err
	}
	if p.rnd.IntN(2) == 0 {
		return check(context.WithoutCancel(ctx))
	}
	return asyncio.Shield(ctx, check)
}

func (p *program) group(ctx context.Context, depth int) error {
	running, over := 0, false
	var inner context.Context
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		inner = ctx
		spawn := func() {
			fn := p.task(depth, false)
			running++
			p.tasks = append(p.tasks, asyncio.Spawn(g, func(ctx context.Context) (int, error) {
				defer func() {
					running--
					if over {
						p.fault("a task ran after its group's end")
					}
				}()
				return fn(ctx)
			}))
		}
		for range 1 + p.rnd.IntN(4) {
			spawn()
		}
		if p.rnd.IntN(4) == 0 {
			p.later(func() {
				if !over {
					g.Cancel()
				}
			})
		}
		err := p.block(ctx, depth, false)
		if p.rnd.IntN(2) == 0 {
			spawn()
		}
		return err
	})
	over = true
	if running != 0 {
		p.fault("a group ended before %d of its tasks", running)
	}
	if inner.Err() == nil {
		p.fault("a group's context is alive after its end")
	}
	p.say("group: %v", err)
	return err
}

func (p *program) await(ctx context.Context) error {
	task := p.tasks[p.rnd.IntN(len(p.tasks))]
	was := task.Done()
	n, err := task.Await(ctx)
	if was && !task.Done() {
		p.fault("%v was done, and is not any more", task)
	}
	if task.Done() {
		value, result := task.Result()
		if err == nil && (value != n || result != nil) {
			p.fault("Await returned %d, Result %d and %v", n, value, result)
		}
		p.got(result)
	}
	p.say("awaited %s: %v", task.Name(), err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ctx.Err()
	}
	p.got(err)
	return nil
}
