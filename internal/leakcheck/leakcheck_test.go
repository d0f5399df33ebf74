package leakcheck

import (
	"errors"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakOnPurpose tells this test binary, started by itself, to leak a goroutine.
const leakOnPurpose = "LEAKCHECK_LEAK_ON_PURPOSE"

func TestMain(m *testing.M) {
	if os.Getenv(leakOnPurpose) != "" {
		Main(leakyTests{m})
	}
	Main(m)
}

// leakyTests are passing tests that leave a goroutine behind.
type leakyTests struct{ *testing.M }

func (l leakyTests) Run() int {
	go blockUntil(make(chan struct{}))
	return l.M.Run()
}

func TestMain_leakAfterPassingTests_failsTheRun(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestLeaks_nothingLeft_isNil$")
	cmd.Env = append(os.Environ(), leakOnPurpose+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "blockUntil") {
		t.Errorf("the leaking run ended with %v and printed:\n%s\nwant exit code 1 and the stack of blockUntil", err, out)
	}
}

// brief is long enough to look once and short enough not to hold up the tests.
const brief = time.Millisecond

func TestLeaks_nothingLeft_isNil(t *testing.T) {
	if err := takeSnapshot().leaks(brief); err != nil {
		t.Fatal(err)
	}
}

func TestLeaks_whatExistedBefore_isNotALeak(t *testing.T) {
	stop := make(chan struct{})
	go func() { <-stop }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := takeSnapshot().leaks(brief); err != nil {
		t.Errorf("older goroutines and descriptors are reported: %v", err)
	}
	close(stop)
	r.Close()
	w.Close()
}

func TestLeaks_blockedGoroutine_isNamedWithItsStack(t *testing.T) {
	before := takeSnapshot()
	stop := make(chan struct{})
	go blockUntil(stop)
	requireLeak(t, before, "blockUntil")
	close(stop)
}

func blockUntil(stop chan struct{}) { <-stop }

func TestLeaks_suspendedCoroutine_isNamedWithItsStack(t *testing.T) {
	before := takeSnapshot()
	next, stop := iter.Pull(suspendForEver)
	next()
	requireLeak(t, before, "suspendForEver")
	stop()
}

func suspendForEver(yield func(int) bool) { yield(1) }

func TestLeaks_openDescriptor_isNamedWithItsTarget(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // descriptors are only checked where /proc/self/fd exists
	}
	before := takeSnapshot()
	f, err := os.CreateTemp(t.TempDir(), "leaked")
	if err != nil {
		t.Fatal(err)
	}
	requireLeak(t, before, f.Name())
	f.Close()
}

func TestLeaks_goroutineThatIsJustEnding_isWaitedFor(t *testing.T) {
	before := takeSnapshot()
	go time.Sleep(50 * time.Millisecond)
	if err := before.leaks(grace); err != nil {
		t.Error(err)
	}
}

func requireLeak(t *testing.T, before snapshot, want string) {
	t.Helper()
	if err := before.leaks(brief); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("leaks() = %v, want %q to be named", err, want)
	}
}
