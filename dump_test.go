package asyncio_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// dump returns what DumpTasks writes.
func dump(t *testing.T, l *asyncio.Loop) string {
	t.Helper()
	var b bytes.Buffer
	wantErr(t, "DumpTasks", asyncio.DumpTasks(&b, l), nil)
	return b.String()
}

// wantAll reports which of the texts are not in got, in this order.
func wantAll(t *testing.T, got string, texts ...string) {
	t.Helper()
	rest := got
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Fatalf("no %q, or not in its place, in\n%s", text, got)
		}
		rest = after
	}
}

// Each task is there with its state, its line, what it waits for and who awaits
// it, whoever asks: a task, a callback, or another goroutine.
func TestDumpTasks_showsEachTask_whoeverAsks(t *testing.T) {
	var event asyncio.Event
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		waiter := asyncio.Go(ctx, event.Wait, asyncio.Name("waiter"))
		asyncio.Go(ctx, func(ctx context.Context) error { _, err := waiter.Await(ctx); return err }, asyncio.Name("watcher"))
		letWait(t, ctx)
		fresh := asyncio.Go(ctx, sleepFor(0), asyncio.Name("fresh"))
		wants := []string{"has 4 tasks", "main ", "(at ", "dump_test.go:", "waiter waits for an Event", "created at ", "dump_test.go:",
			"awaited by watcher", "watcher waits for waiter (at ", "dump_test.go:", "fresh not started yet"}
		wantAll(t, dump(t, loop), wants...)
		var inCallback string
		loop.CallSoon(func() { inCallback = dump(t, loop) })
		asyncio.Yield(ctx)
		wantAll(t, inCallback, wants[:len(wants)-1]...)
		fresh.Await(ctx)
		wants[0] = "has 3 tasks"
		elsewhere, err := asyncio.ToThread(ctx, func() (string, error) { return dump(t, loop), nil })
		wantErr(t, "ToThread", err, nil)
		wantAll(t, elsewhere, wants[:len(wants)-1]...)
		if strings.Contains(elsewhere, "event.go") || strings.Contains(elsewhere, "task.go") {
			t.Errorf("a line of the library's is named:\n%s", elsewhere)
		}
		event.Set()
		return nil
	})
	wantErr(t, "Run", err, nil)
}

// DumpTasks of a loop that cannot answer says where it is, and does not hang.
func TestDumpTasks_loopIsBlocked_saysWhere(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		text := make(chan string)
		go func() { text <- dump(t, loop) }()
		wantAll(t, <-text, "has 1 task, which cannot be listed as the loop is blocked", "main waits for a channel",
			"at ", "dump_test.go:", "TestDumpTasks_loopIsBlocked", "Stack")
		return nil
	}, asyncio.WithWatchdog(0))
	wantErr(t, "Run", err, nil)
}

func TestDumpTasks_loopDoesNotRunOrIsClosed_saysSo(t *testing.T) {
	loop := clockLoop(t)
	asyncio.Go(loop.Context(), sleepFor(time.Hour), asyncio.Name("sleeper"))
	loop.RunOnce()
	wantAll(t, dump(t, loop), "has 1 task", "sleeper waits for a timer")
	loop.Close()
	wantAll(t, dump(t, loop), "is closed")
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestDumpTasks_theWritersError_isReturned(t *testing.T) {
	wantErr(t, "DumpTasks", asyncio.DumpTasks(brokenWriter{}, clockLoop(t)), errBroken)
}

// A wrong use names the line of the user who made it, not the library's.
func TestMisuse_errorsAndPanics_nameTheUsersLine(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q asyncio.Queue[int]
		var errs []error
		_, err := q.Get(context.Background())
		errs = append(errs, err, asyncio.Sleep(context.Background(), 1))
		loop := asyncio.RunningLoop(ctx)
		errs = append(errs, asyncio.Yield(loop.Context()))
		elsewhere(func() {
			errs = append(errs, asyncio.Sleep(ctx, 1))
			mustPanic(t, "(at ", func() { asyncio.Go(ctx, sleepFor(1)) })
			mustPanic(t, "dump_test.go:", func() { asyncio.RunningLoop(context.Background()) })
		})
		for i, err := range errs {
			if err == nil || !strings.Contains(err.Error(), "dump_test.go:") || strings.Contains(err.Error(), "queue.go") {
				t.Errorf("error %d: %v", i, err)
			}
		}
		return nil
	})
}

// What is printed of a panic begins at the line that panicked; Stack has it all.
func TestPanicError_text_isWithoutTheLibraryAndTheRuntime(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := asyncio.Go(ctx, func(ctx context.Context) error {
			asyncio.Yield(ctx)
			return asyncio.Timeout(ctx, time.Hour, func(context.Context) error { return panicHere() })
		}).Await(ctx)
		var p *asyncio.PanicError
		if !errors.As(err, &p) {
			t.Fatalf("got %v", err)
		}
		text := p.Error()
		wantAll(t, text, "asyncio: panic: boom\n\n", "asyncio_test.panicHere", "dump_test.go:", "TestPanicError_text")
		for _, not := range []string{"goroutine ", "runtime/", "internal/engine", "timeout.go", "iter.Pull", "debug.Stack"} {
			if strings.Contains(text, not) {
				t.Errorf("%q is in\n%s", not, text)
			}
			if not != "timeout.go" && !strings.Contains(string(p.Stack), not) {
				t.Errorf("%q is not in the whole stack\n%s", not, p.Stack)
			}
		}
		return nil
	})
}

//go:noinline
func panicHere() error { panic("boom") }
