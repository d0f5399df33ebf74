package callerpc_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio/internal/callerpc"
)

//go:noinline
func callee() uintptr { return callerpc.Get() }

//go:noinline
func generic[T any](T) uintptr { return callerpc.Get() }

type method struct{ n int }

//go:noinline
func (m *method) callee() uintptr {
	defer func() { m.n++ }()
	return callerpc.Get()
}

func place(pc uintptr) string {
	f := callerpc.Frame(pc)
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line)
}

func TestGet_isTheLineOfTheCall(t *testing.T) {
	m := &method{}
	inClosure := func() (uintptr, string) { return callee(), here() }
	pc, want := inClosure()
	for _, c := range []struct {
		call      string
		pc        uintptr
		want, got string
	}{
		{call: "function", pc: callee(), want: here()},
		{call: "generic", pc: generic("x"), want: here()},
		{call: "generic pointer", pc: generic(m), want: here()},
		{call: "method", pc: m.callee(), want: here()},
		{call: "in a closure", pc: pc, want: want},
	} {
		if got := place(c.pc); got != c.want {
			t.Errorf("%s: called at %s, want %s", c.call, got, c.want)
		}
	}
	if name := callerpc.Frame(callee()).Function; !strings.HasSuffix(name, "TestGet_isTheLineOfTheCall") {
		t.Errorf("called by %s", name)
	}
	if f := callerpc.Frame(0); f.PC != 0 {
		t.Errorf("place of no call: %v", f)
	}
}

func BenchmarkGet(b *testing.B) {
	for b.Loop() {
		callee()
	}
}
