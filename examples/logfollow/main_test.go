//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// The test binary is the command when this is set.
const asCommand = "LOGFOLLOW_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

func command(t *testing.T, args ...string) (cmd *exec.Cmd, out *bufio.Scanner, errs *strings.Builder) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	errs = &strings.Builder{}
	cmd.Stderr = errs
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() { stuck.Stop() })
	return cmd, bufio.NewScanner(pipe), errs
}

func want(t *testing.T, out *bufio.Scanner, line string) {
	t.Helper()
	if !out.Scan() || out.Text() != line {
		t.Fatalf("got %q, want %q", out.Text(), line)
	}
}

func TestFollow_filesThatGrow_untilItIsStopped(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := t.TempDir()
		log, err := os.Create(filepath.Join(dir, "a.log"))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd, out, errs := command(t, "--grep", "x", "a=tail -n +1 -F "+log.Name(), "b=echo $$ x; sleep 1000 & echo $! x; wait")
		var pids []int
		for range 2 {
			if !out.Scan() {
				t.Fatal(errs)
			}
			var pid int
			fmt.Sscanf(out.Text(), "b | %d x", &pid)
			pids = append(pids, pid)
		}
		for i := range 3 {
			fmt.Fprintf(log, "not this\nline %d x\n", i)
			want(t, out, fmt.Sprintf("a | line %d x", i))
		}
		cmd.Process.Signal(sig)
		rest, _ := io.ReadAll(readerOf(out))
		if err := cmd.Wait(); err != nil || len(rest) != 0 {
			t.Errorf("it ended with %v, and %q", err, rest)
		}
		if s := errs.String(); !strings.Contains(s, "a: 3 lines, started 1 times") || !strings.Contains(s, "b: 2 lines") {
			t.Errorf("%v: summary %q", sig, s)
		}
		for _, pid := range pids {
			if alive(pid) {
				t.Errorf("%v: process %d is left", sig, pid)
			}
		}
	}
}

// alive reports whether a process runs; one that is dead and that nobody has taken notice of does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// readerOf reads on where a Scanner has stopped.
func readerOf(s *bufio.Scanner) io.Reader {
	var b strings.Builder
	for s.Scan() {
		fmt.Fprintln(&b, s.Text())
	}
	return strings.NewReader(b.String())
}

func TestFollow_commandThatEnds_isStartedAgain(t *testing.T) {
	cmd, out, errs := command(t, "--pause", "1ms", "c=echo again")
	for range 3 {
		want(t, out, "c | again")
	}
	cmd.Process.Signal(os.Interrupt)
	for out.Scan() {
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(errs.String(), "c has ended") {
		t.Errorf("%v, %s", err, errs)
	}
}

func TestUsage_wrong_saysHow(t *testing.T) {
	for _, args := range [][]string{{}, {"no-command"}, {"--grep", "(", "a=b"}, {"--pause", "-1s", "a=b"}} {
		cmd, _, errs := command(t, args...)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.HasPrefix(errs.String(), "logfollow: ") {
			t.Errorf("%q: exit %d, %s", args, code, errs)
		}
	}
}
