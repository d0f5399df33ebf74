package faultproxy

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

const (
	// SeedVariable is the environment variable with the one seed that is to be run.
	SeedVariable = "ASYNCIO_FAULT_SEED"
	// TimeVariable is the one that says for how long each test runs, like "10m". Each such run has seeds of its own.
	TimeVariable = "ASYNCIO_FAULT_FOR"
)

const (
	briefly = 200 * time.Millisecond // what a test takes if nothing else is asked for
	tooLong = 60 * time.Second       // what no seed takes that does not hang
)

// Seeds calls test with one seed after another, at least one, until the time is over or one has failed. The same
// seeds come each time, but for long runs. A test that hangs ends the program with the stacks of all goroutines.
func Seeds(t *testing.T, test func(seed uint64) error) {
	t.Helper()
	if s := os.Getenv(SeedVariable); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", SeedVariable, err)
		}
		try(t, seed, test)
		return
	}
	seed, during := uint64(1), briefly
	if s := os.Getenv(TimeVariable); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("%s: %v", TimeVariable, err)
		}
		seed, during = uint64(time.Now().UnixNano()), d
	}
	n := 0
	for until := time.Now().Add(during); n == 0 || time.Now().Before(until); n++ {
		try(t, seed+uint64(n), test)
	}
	t.Logf("%d seeds", n)
}

func try(t *testing.T, seed uint64, test func(seed uint64) error) {
	t.Helper()
	replay := fmt.Sprintf("%s=%d go test -run '^%s$'", SeedVariable, seed, t.Name())
	hung := time.AfterFunc(tooLong, func() {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		fmt.Fprintf(os.Stderr, "faultproxy: it hangs; replay: %s\n%s\n", replay, stacks)
		os.Exit(2)
	})
	defer hung.Stop()
	if err := test(seed); err != nil {
		t.Fatalf("%v\nreplay: %s", err, replay)
	}
}
