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

// This file tests the package as a whole: programs made at random from a seed,
// of tasks, groups, timeouts, shields, races, locks, conditions, barriers,
// queues, selects, sleeps, failures and cancellations. On the virtual clock a seed is one
// exact run, so a failing one is printed and can be replayed:
//
//	ASYNCIO_SEED=17 go test -v -run TestRandomPrograms .
//	ASYNCIO_RANDOM=5m go test -run TestRandomPrograms . -timeout 0
//
// What must hold whatever happens, and is checked:
//   - A lock has one holder; as many permits are out as are missing; items come
//     out once, in their order; the rounds of a barrier are whole.
//   - Who waits longer is served first; nobody waits for what is there; a
//     cancelled wait ends at once, and one that is not cancelled does not fail.
//   - A sleep takes exactly its time; no wait goes on after its deadline.
//   - Owners end after what they own; shielded blocks are not cancelled; in the
//     end every task has ended, and its memory and coroutine are given back.
//   - Every failure reaches a waiter, a group, or the exception handler.
//   - The same seed gives the same run, if no other goroutine has a say in it.
//
// What tasks do is in random_ops_test.go, random_tasks_test.go and
// random_scopes_test.go; what they share, and what must hold for that, in
// random_sync_test.go, random_queue_test.go, random_channel_test.go and
// random_select_test.go.
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
	start, seed := time.Now(), first
	for ; seed < first+20; seed++ {
		runSeed(t, seed)
	}
	before := inUse()
	for ; time.Since(start) < howLong && !t.Failed(); seed++ {
		runSeed(t, seed)
	}
	if kept := inUse() - before; kept > 1<<20 {
		t.Errorf("%d programs have left %d KB behind", seed-first, kept>>10)
	}
	t.Logf("%d programs from seed %d on", seed-first, first)
}

// inUse is how much memory is in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
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

	ops            []op
	weights        int // of all ops
	steps          int // that may still be taken
	started, ended int // tasks
	tasks          []*asyncio.Task[int]
	ends           map[string]int // the rank of each task, by name, in the order of their ending
	failures       map[int]bool   // number of each failure, and whether somebody got it
	waits          []*several     // calls of Wait that are under way
	shared
}

// shared is what the tasks share.
type shared struct {
	locks      [2]guarded
	semaphores [2]guarded
	events     [2]signal
	condition  condition
	barrier    barrier
	queues     [5]*conveyor
	retired    []*conveyor // queues that were shut down
	wires      [2]wire
	serial     int // of the last item
}

// failure is an error that must not get lost.
type failure struct{ number int }

func (f *failure) Error() string { return fmt.Sprintf("failure %d", f.number) }

func newProgram(seed uint64) *program {
	p := &program{
		rnd: rand.New(rand.NewPCG(seed, 1)), foreign: seed%4 == 0, steps: 300,
		failures: map[int]bool{}, ends: map[string]int{}, ops: operations(),
	}
	for _, op := range p.ops {
		p.weights += op.weight
	}
	p.share()
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
	err := asyncio.Run(context.Background(), p.main, asyncio.WithVirtualClock(), fifo, asyncio.WithInterrupt(false),
		asyncio.WithWatchdog(0), asyncio.WithExceptionHandler(p.reported))
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

// reported is the exception handler. What waits longest is over within a
// millisecond, by its timeout: so nothing may be taken for a deadlock.
func (p *program) reported(info asyncio.ExceptionInfo) {
	if d := (*asyncio.DeadlockError)(nil); errors.As(info.Err, &d) {
		p.fault("%s: %v", info.Message, d)
	}
	p.got(info.Err)
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
	p.checkEnd(ctx)
	return nil
}

// checkAtRest looks at what must hold when nobody is ready to run.
func (p *program) checkAtRest() {
	for i := range p.locks {
		p.locks[i].atRest(p)
		p.semaphores[i].atRest(p)
		p.events[i].atRest(p)
	}
	p.condition.atRest(p)
	p.barrier.atRest(p)
	for _, q := range slices.Concat(p.queues[:], p.retired) {
		q.atRest(p)
	}
	for _, w := range p.waits {
		w.atRest(p)
	}
}

// checkEnd looks at what must hold when all is over.
func (p *program) checkEnd(ctx context.Context) {
	for _, task := range p.tasks {
		if !task.Done() {
			p.fault("%v has not ended", task)
		}
	}
	if left := asyncio.AllTasks(p.loop); len(left) != 1 || left[0].Name() != asyncio.CurrentTask(ctx).Name() {
		p.fault("AllTasks at the end: %v", left)
	}
	for i := range p.locks {
		p.locks[i].atEnd(p)
		p.semaphores[i].atEnd(p)
		p.events[i].atEnd(p)
	}
	p.condition.atEnd(p)
	p.barrier.atEnd(p)
	for _, q := range slices.Concat(p.queues[:], p.retired) {
		q.atEnd(p)
	}
	for i := range p.wires {
		p.wires[i].atEnd(p)
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

// cancelled reports whether err says nothing but that something was cancelled.
func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
