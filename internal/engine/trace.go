package engine

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"sync"
)

// A Trace is what a loop has done, a line a step, and the hash of that. What two
// runs of one program write can be compared, so there is nothing in it that
// differs without a cause: no address, no number of a goroutine or descriptor.
type Trace struct {
	w     io.Writer // nil: only the hash
	hash  uint64
	steps uint64
	err   error // of w
}

// NewTrace returns a trace that is written to w, if that is not nil.
func NewTrace(w io.Writer) *Trace { return &Trace{w: w, hash: fnv.New64a().Sum64()} }

// Hash returns the hash of all lines so far (FNV-1a).
func (t *Trace) Hash() uint64 { return t.hash }

// Steps returns how many lines there are.
func (t *Trace) Steps() uint64 { return t.steps }

// Err returns why the writer has failed, if it has.
func (t *Trace) Err() error { return t.err }

func (t *Trace) add(line []byte) {
	for _, b := range line {
		t.hash = (t.hash ^ uint64(b)) * 1099511628211
	}
	t.steps++
	t.write(line)
}

func (t *Trace) write(b []byte) {
	if t.w != nil && t.err == nil {
		_, t.err = t.w.Write(b)
	}
}

// A traceLine is the step that is under way. It is written when it is over: only
// then it is known what the task does next.
type traceLine struct {
	step uint64
	task *Task // nil: what runs is no task
	text []byte
}

// begin notes which step is taken now.
func (d *director) begin(e runnable, n note) {
	d.end()
	d.line.step++
	b := strconv.AppendUint(d.line.text[:0], d.line.step, 10)
	b = fmt.Appendf(b, "\t%v\t", d.loop.Time())
	d.line.task, _ = e.(*Task)
	b = append(b, describe(e)...)
	switch n.by {
	case byStep:
		b = fmt.Appendf(b, "\tready since step %d", n.step)
	case byAlarm:
		b = append(b, "\tready by a timer"...)
	case bySystem:
		b = append(b, "\tready by the system"...)
	case byContext:
		b = append(b, "\tready by a context"...)
	case byOutside:
		b = append(b, "\tready by another goroutine"...)
	}
	d.line.text = b
}

// end writes the line of the step that is over.
func (d *director) end() {
	if len(d.line.text) == 0 {
		return
	}
	if t := d.line.task; t != nil {
		d.line.text = append(append(d.line.text, '\t'), t.outlook()...)
	}
	d.trace.add(append(d.line.text, '\n'))
	d.line.text, d.line.task = d.line.text[:0], nil
}

// outlook says what becomes of a task whose step is over.
func (t *Task) outlook() string {
	switch p := t.at; {
	case p == nil:
		return t.Condition()
	case p.parked && p.what != nil:
		return "waits for " + p.waitName()
	case p.parked:
		return "waits"
	default:
		return "ready again"
	}
}

// close ends the trace, of which the last line is the hash.
func (d *director) close() {
	if d.trace != nil {
		d.end()
		d.trace.write(fmt.Appendf(nil, "hash %016x of %d steps\n", d.trace.hash, d.trace.steps))
	}
}

// describe says what an entry of the ready queue is.
func describe(e runnable) string {
	switch e := e.(type) {
	case *Task:
		if e.at == nil {
			return "task " + e.Name() + " starts"
		}
		if err, failed := e.at.what.(error); failed {
			return "task " + e.Name() + " goes on: " + err.Error()
		}
		return "task " + e.Name() + " goes on"
	case *Handle:
		return "callback " + funcName(e.fn)
	case *Alarm:
		return e.describe()
	case *Source:
		return fmt.Sprintf("source %T", e.owner)
	case *fdCallback:
		return "descriptor's callback " + funcName(e.fn)
	case *failure:
		return "report of what " + e.what + " failed with"
	}
	return fmt.Sprintf("%T", e)
}

func (a *Alarm) describe() string {
	switch {
	case !a.queued:
		return "timer, disarmed"
	}
	switch o := a.owner.(type) {
	case *Timer:
		return "timer " + funcName(o.fn)
	case *Deadline:
		if o.task != nil {
			return "timeout of " + o.task.Name()
		}
		return "timeout"
	}
	return fmt.Sprintf("timer of a %T", a.owner)
}

func funcName(fn func()) string {
	if fn == nil {
		return "cancelled"
	}
	return runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
}

// TraceEnv is the environment variable that names a file to which all loops write
// their traces, one after another.
const TraceEnv = "ASYNCIO_TRACE"

var traceFromEnv = sync.OnceValue(func() io.Writer {
	name := os.Getenv(TraceEnv)
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		panic(fmt.Sprintf("asyncio: %s: %v", TraceEnv, err))
	}
	return f
})
