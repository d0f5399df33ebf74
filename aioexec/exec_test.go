//go:build unix

package aioexec_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/aionet"
)

func run(t *testing.T, main func(ctx context.Context) error, opts ...asyncio.Option) {
	t.Helper()
	if err := asyncio.Run(context.Background(), main, opts...); err != nil {
		t.Fatal(err)
	}
}

// status is how a process ended: its exit code, or the negative of the signal.
func status(t *testing.T, c *aioexec.Cmd) int {
	t.Helper()
	if c.ProcessState == nil {
		t.Fatalf("%v has not ended", c)
	}
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return -int(ws.Signal())
	}
	return c.ProcessState.ExitCode()
}

// startReading starts c and returns what it writes.
func startReading(ctx context.Context, c *aioexec.Cmd) (*aiofile.Pipe, error) {
	out, err := c.StdoutPipe(ctx)
	if err != nil {
		return nil, err
	}
	return out, c.Start(ctx)
}

// gone reports whether there is no process of that number.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// conformance: subprocess-01 subprocess-30
func TestStart_thatFails_saysWhyAndLeavesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, c := range []struct {
			cmd  *aioexec.Cmd
			want error
		}{
			{aioexec.Command("no-such-program-anywhere"), exec.ErrNotFound},
			{aioexec.Command("/no/such/program"), os.ErrNotExist},
			{aioexec.Command(t.TempDir()), os.ErrPermission},
			{&aioexec.Cmd{Path: "/bin/true", Dir: "/no/such/directory"}, os.ErrNotExist},
			{&aioexec.Cmd{}, nil},
			{&aioexec.Cmd{Path: "/bin/true", WaitDelay: -1}, nil},
		} {
			c.cmd.Stdin, c.cmd.Stdout = strings.NewReader("input"), &bytes.Buffer{}
			err := c.cmd.Start(ctx)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "aioexec: start") {
				t.Errorf("%v: %v, want %v", c.cmd, err, c.want)
			}
		}
		return nil
	})
}

func TestStart_thatFails_closesBothEndsOfThePipes(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ended, cancel := asyncio.WithCancel(ctx)
		cancel(context.Canceled)
		for _, c := range []struct {
			ctx     context.Context
			program string
			want    error
		}{
			{ctx, "/no/such/program", os.ErrNotExist},
			{ctx, "no-such-program-anywhere", exec.ErrNotFound},
			{ended, "true", context.Canceled},
		} {
			before := descriptors(t)
			cmd := aioexec.Command(c.program)
			in, err := cmd.StdinPipe(ctx)
			if err != nil {
				return err
			}
			if err := cmd.Start(c.ctx); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.program, err, c.want)
			}
			if _, err := in.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s: writing to the pipe gives %v, want it closed", c.program, err)
			}
			if n := descriptors(t); n != before {
				t.Errorf("%s: %d descriptors are open, %d were before", c.program, n, before)
			}
		}
		return nil
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system has no /proc/self/fd")
	}
	return len(entries)
}

func TestMisuse_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("true")
		if err := c.Wait(ctx); !errors.Is(err, aioexec.ErrNotStarted) {
			t.Errorf("Wait before Start: %v", err)
		}
		if err := c.Kill(); !errors.Is(err, aioexec.ErrNotStarted) {
			t.Errorf("Kill before Start: %v", err)
		}
		if err := c.Start(context.Background()); !errors.Is(err, asyncio.ErrNotOnLoop) {
			t.Errorf("Start without a loop: %v", err)
		}
		if err := c.Run(ctx); err != nil {
			return err
		}
		if err := c.Start(ctx); !errors.Is(err, aioexec.ErrStarted) {
			t.Errorf("Start again: %v", err)
		}
		if _, err := c.StdoutPipe(ctx); !errors.Is(err, aioexec.ErrStarted) {
			t.Errorf("a pipe after Start: %v", err)
		}
		c = aioexec.Command("true")
		c.Stdin, c.Stdout = strings.NewReader(""), io.Discard
		if _, err := c.StdinPipe(ctx); err == nil {
			t.Error("StdinPipe with Stdin")
		}
		if _, err := c.Output(ctx); err == nil {
			t.Error("Output with Stdout")
		}
		if _, _, err := c.Communicate(ctx, []byte("x")); err == nil {
			t.Error("Communicate with Stdin and input")
		}
		return nil
	})
}

// conformance: subprocess-02 subprocess-12
func TestPipes_whatIsWrittenComesBack_againAndAgain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("cat")
		in, err := c.StdinPipe(ctx)
		if err != nil {
			return err
		}
		out, err := startReading(ctx, c)
		if err != nil {
			return err
		}
		defer out.Close()
		lines := bufio.NewScanner(out)
		for i := range 3 {
			want := fmt.Sprint("line ", i)
			if _, err := fmt.Fprintln(in, want); err != nil {
				return err
			}
			if !lines.Scan() || lines.Text() != want {
				t.Errorf("got %q, %v", lines.Text(), lines.Err())
			}
		}
		in.Close()
		if lines.Scan() {
			t.Errorf("after the end: %q", lines.Text())
		}
		err = c.Wait(ctx)
		if status(t, c) != 0 {
			t.Errorf("status %d", status(t, c))
		}
		return err
	})
}

// conformance: subprocess-03 subprocess-04 subprocess-06 subprocess-14
func TestShell_outputAndStatus(t *testing.T) {
	run(t, func(ctx context.Context) error {
		out, errs, err := aioexec.Shell("echo out; echo err >&2; exit 7").Communicate(ctx, nil)
		var exit *exec.ExitError
		if string(out) != "out\n" || string(errs) != "err\n" || !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("got %q, %q, %v", out, errs, err)
		}
		both, err := aioexec.Shell("echo out; echo err >&2").CombinedOutput(ctx)
		if string(both) != "out\nerr\n" || err != nil {
			t.Errorf("combined: %q, %v", both, err)
		}
		_, err = aioexec.Shell("echo why >&2; exit 1").Output(ctx)
		if !errors.As(err, &exit) || string(exit.Stderr) != "why\n" || err.Error() != "aioexec: run /bin/sh: exit status 1" {
			t.Errorf("Output: %v with %q", err, exit.Stderr)
		}
		c := aioexec.Shell("exit 0")
		if err := c.Run(ctx); err != nil || status(t, c) != 0 {
			t.Errorf("exit 0: %v, %d", err, status(t, c))
		}
		return nil
	})
}

// conformance: subprocess-05 subprocess-10 subprocess-16 subprocess-18
func TestSignal_endsTheProcess_andThenThereIsNone(t *testing.T) {
	for sig, send := range map[syscall.Signal]func(*aioexec.Cmd) error{
		syscall.SIGKILL: (*aioexec.Cmd).Kill,
		syscall.SIGTERM: (*aioexec.Cmd).Terminate,
		syscall.SIGHUP:  func(c *aioexec.Cmd) error { return c.Signal(syscall.SIGHUP) },
	} {
		for _, group := range []bool{false, true} {
			run(t, func(ctx context.Context) error {
				c := aioexec.Command("sleep", "1000")
				c.Group = group
				if err := c.Start(ctx); err != nil {
					return err
				}
				pid := c.Process.Pid
				if err := send(c); err != nil {
					t.Errorf("%v: %v", sig, err)
				}
				var exit *exec.ExitError
				if err := c.Wait(ctx); !errors.As(err, &exit) || status(t, c) != -int(sig) {
					t.Errorf("%v: %v, status %d", sig, err, status(t, c))
				}
				if err := send(c); !errors.Is(err, os.ErrProcessDone) || !gone(pid) {
					t.Errorf("%v after the end: %v, gone %v", sig, err, gone(pid))
				}
				return nil
			})
		}
	}
}

// conformance: subprocess-07
func TestStdoutPipe_closed_breaksTheProcessesPipe(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("yes")
		out, err := startReading(ctx, c)
		if err != nil {
			return err
		}
		out.Close()
		if err := c.Wait(ctx); err == nil || status(t, c) == 0 {
			t.Errorf("it ended with %v", err)
		}
		return nil
	})
}

// conformance: subprocess-08 subprocess-15
func TestCmd_inANewSession(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("cat")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, _, err := c.Communicate(ctx, []byte("hello"))
		if string(out) != "hello" {
			t.Errorf("got %q", out)
		}
		return err
	})
}

// conformance: subprocess-11
func TestCmd_asText_saysWhatHasBecomeOfIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("/bin/sleep", "1000")
		if s := c.String(); s != "/bin/sleep 1000 (not started)" {
			t.Error(s)
		}
		if err := c.Start(ctx); err != nil {
			return err
		}
		if s := c.String(); s != fmt.Sprintf("/bin/sleep 1000 (process %d, running)", c.Process.Pid) {
			t.Error(s)
		}
		c.Kill()
		c.Wait(ctx)
		if s := c.String(); s != fmt.Sprintf("/bin/sleep 1000 (process %d: signal: killed)", c.Process.Pid) {
			t.Error(s)
		}
		return nil
	})
}

// More than any pipe holds goes both ways at once.
//
// conformance: subprocess-13 subprocess-21 subprocess-36
func TestCommunicate_moreThanPipesHold_doesNotStop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		input := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		out, errs, err := aioexec.Shell("tee /dev/stderr").Communicate(ctx, input)
		if !bytes.Equal(out, input) || !bytes.Equal(errs, input) {
			t.Errorf("got %d and %d bytes of %d", len(out), len(errs), len(input))
		}
		return err
	})
}

// conformance: subprocess-20 subprocess-23 subprocess-24
func TestCommunicate_processThatDoesNotRead_orHasNoStream(t *testing.T) {
	run(t, func(ctx context.Context) error {
		out, _, err := aioexec.Command("echo", "hello").Communicate(ctx, make([]byte, 10<<20))
		if string(out) != "hello\n" || err != nil {
			t.Errorf("one that does not read: %q, %v", out, err)
		}
		out, errs, err := aioexec.Command("cat").Communicate(ctx, []byte{})
		if len(out) != 0 || out == nil || errs == nil || err != nil {
			t.Errorf("empty input: %q, %q, %v", out, errs, err)
		}
		c := aioexec.Command("cat")
		c.Stdout = io.Discard
		if out, _, err := c.Communicate(ctx, []byte("x")); out != nil || err != nil {
			t.Errorf("a stream that goes elsewhere comes back as %q, %v", out, err)
		}
		if err := aioexec.Command("cat").Run(ctx); err != nil {
			t.Errorf("without any stream: %v", err)
		}
		return nil
	})
}

// conformance: subprocess-17
// pitfall: 40
func TestWait_processKilledWhoseChildHoldsThePipe_ends(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("sleep 1000 & echo started; wait")
		c.Group = true
		out, err := startReading(ctx, c)
		if err != nil {
			return err
		}
		defer out.Close()
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
			t.Errorf("got %q, %v", line, err)
		}
		c.Process.Kill() // the shell alone
		if err := c.Wait(ctx); err == nil {
			t.Error("a killed process ended well")
		}
		return killGroup(c.Process.Pid)
	})
}

// killGroup ends what a test has left, and waits for that.
func killGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		return err
	}
	return nil
}

func TestWaitDelay_childKeepsTheOutputOpen_isGivenUp(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("sleep 1000 & echo $!")
		c.Group = true
		c.WaitDelay = 20 * time.Millisecond
		out, err := c.Output(ctx)
		if !errors.Is(err, exec.ErrWaitDelay) || len(out) == 0 {
			t.Errorf("got %q, %v", out, err)
		}
		return killGroup(c.Process.Pid)
	})
}

// conformance: subprocess-19
func TestStdinPipe_processEndsBeforeItHasReadAll_writeFails(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("exit 0")
		in, err := c.StdinPipe(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		if err := c.Start(ctx); err != nil {
			return err
		}
		_, err = in.Write(make([]byte, 10<<20))
		if !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write = %v, want a broken pipe", err)
		}
		return c.Wait(ctx)
	})
}

// conformance: subprocess-22 subprocess-25
func TestStdin_closedHere_isTheEndThere_andCanBeOpenedByName(t *testing.T) {
	run(t, func(ctx context.Context) error {
		// While other processes run, that could have inherited the end of the pipe.
		other := aioexec.Command("sleep", "1000")
		c := aioexec.Command("cat", "/dev/stdin")
		in, err := c.StdinPipe(ctx)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		c.Stdout = &out
		if err := errors.Join(other.Start(ctx), c.Start(ctx)); err != nil {
			return err
		}
		in.Write([]byte("data"))
		in.Close()
		err = c.Wait(ctx)
		if out.String() != "data" {
			t.Errorf("got %q", &out)
		}
		other.Kill()
		other.Wait(ctx)
		return err
	})
}

// conformance: subprocess-26 subprocess-35
func TestWait_cancelled_leavesTheProcessAlone_andManyMayWait(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("sleep", "1000")
		if err := c.Start(ctx); err != nil {
			return err
		}
		err := asyncio.Timeout(ctx, time.Millisecond, c.Wait)
		if !errors.Is(err, context.DeadlineExceeded) || gone(c.Process.Pid) {
			t.Errorf("cancelled Wait = %v, process gone %v", err, gone(c.Process.Pid))
		}
		var waits []asyncio.Coroutine[error]
		for range 10 {
			waits = append(waits, func(ctx context.Context) (error, error) { return c.Wait(ctx), nil })
		}
		waits = append(waits, func(context.Context) (error, error) { return nil, c.Kill() })
		got, err := asyncio.Gather(ctx, waits...)
		for _, e := range got[:10] {
			if e != got[0] || e == nil {
				t.Errorf("one got %v, another %v", got[0], e)
			}
		}
		return err
	})
}

// conformance: subprocess-27
// pitfall: 40
func TestStart_cancelledMeanwhile_processIsEndedAndNothingIsLeft(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("trap '' TERM; exec sleep 1000")
		c.Cancel = c.Kill
		in, err := c.StdinPipe(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		task := asyncio.Go(ctx, c.Start)
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
		task.Cancel() // while the thread is at it
		if _, err := task.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Start = %v", err)
		}
		if c.Process != nil && (c.ProcessState == nil || !gone(c.Process.Pid)) {
			t.Errorf("the process is there: %v", c)
		}
		return nil
	})
}

// conformance: subprocess-28
func TestContext_ended_terminatesTheProcess_andAwaitsIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var out bytes.Buffer
		c := aioexec.Shell("trap 'echo cleaning up; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
		c.Stdout = &out
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(c.Run)
			for out.Len() == 0 {
				if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			g.Cancel()
			return nil
		})
		if err != nil || out.String() != "ready\ncleaning up\n" || status(t, c) != 3 {
			t.Errorf("%v, output %q, status %d", err, &out, status(t, c))
		}
		return nil
	})
}

func TestContext_ended_processThatDoesNotListen_isKilledAfterItsDelay(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("trap '' TERM; echo ready; while :; do sleep 0.01; done")
		c.Group, c.WaitDelay = true, 10*time.Millisecond
		ready := asyncio.NewFuture[string](asyncio.RunningLoop(ctx))
		c.Stdout = writer(func(p []byte) { ready.SetResult(string(p)) })
		task := asyncio.Go(ctx, c.Run)
		if _, err := ready.Await(ctx); err != nil {
			return err
		}
		enough := errors.New("enough")
		task.Cancel(enough)
		if _, err := task.Await(ctx); !errors.Is(err, enough) || !task.Cancelled() || status(t, c) != -int(syscall.SIGKILL) {
			t.Errorf("%v, cancelled %v, status %d", err, task.Cancelled(), status(t, c))
		}
		return nil
	})
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// A cancelled group is ended as a whole, also the children of a leader that ends at once.
func TestContext_ended_withAGroup_childrenAreEndedToo(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("(trap '' TERM; echo $$; while :; do sleep 0.01; done) & wait")
		c.Group, c.WaitDelay = true, 10*time.Millisecond
		out, err := c.StdoutPipe(ctx)
		if err != nil {
			return err
		}
		defer out.Close()
		task := asyncio.Go(ctx, c.Run)
		r := bufio.NewReader(out)
		if _, err := r.ReadString('\n'); err != nil {
			return err
		}
		task.Cancel()
		if _, err := task.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		if _, err := io.ReadAll(r); err != nil { // it ends only when all who hold the other end have
			t.Error(err)
		}
		return nil
	})
}

func TestLoopsEnd_processesAreEnded(t *testing.T) {
	var c *aioexec.Cmd
	run(t, func(ctx context.Context) error {
		c = aioexec.Command("sleep", "1000")
		return c.Start(ctx)
	})
	if c.ProcessState == nil || !gone(c.Process.Pid) {
		t.Errorf("%v", c)
	}
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	c = aioexec.Shell("trap '' TERM; exec sleep 1000")
	task := asyncio.Go(loop.Context(), func(ctx context.Context) error {
		if err := c.Start(ctx); err != nil {
			return err
		}
		return asyncio.Sleep(ctx, time.Hour)
	})
	for c.Process == nil && !task.Done() {
		loop.RunOnce()
	}
	loop.Close()
	if c.Process == nil || !gone(c.Process.Pid) {
		t.Errorf("after Loop.Close: %v", c)
	}
}

// conformance: subprocess-29 subprocess-38
// pitfall: 40
func TestSignal_processThatIsJustEnding_keepsItsStatus(t *testing.T) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 20 {
				g.Go(func(ctx context.Context) error {
					c := aioexec.Command("true")
					out, err := startReading(ctx, c)
					if err != nil {
						return err
					}
					defer out.Close()
					io.ReadAll(out) // its end is near, or here and not noticed yet
					own := context.WithoutCancel(ctx)
					if err := asyncio.Sleep(own, time.Millisecond); err != nil {
						return err
					}
					if err := c.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
						return err
					}
					if err := c.Wait(ctx); err != nil && status(t, c) != -int(syscall.SIGKILL) {
						return err
					}
					return nil
				})
			}
			return nil
		})
	})
}

// conformance: subprocess-31
// pitfall: 40
func TestStdoutPipe_canBeReadAfterTheEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Command("echo", "last words")
		out, err := c.StdoutPipe(ctx)
		if err != nil {
			return err
		}
		if err := c.Run(ctx); err != nil {
			return err
		}
		b, err := io.ReadAll(out)
		if string(b) != "last words\n" {
			t.Errorf("got %q", b)
		}
		return errors.Join(err, out.Close())
	})
}

// conformance: subprocess-34
func TestCmd_environmentDirectoryAndFiles(t *testing.T) {
	run(t, func(ctx context.Context) error {
		dir := t.TempDir()
		extra, err := os.Create(filepath.Join(dir, "extra"))
		if err != nil {
			return err
		}
		defer extra.Close()
		c := aioexec.Shell("echo $GREETING; pwd; echo more >&3")
		c.Env, c.Dir, c.ExtraFiles = []string{"GREETING=hello"}, dir, []*os.File{extra}
		out, err := c.Output(ctx)
		if string(out) != "hello\n"+dir+"\n" {
			t.Errorf("got %q", out)
		}
		if b, err := os.ReadFile(extra.Name()); string(b) != "more\n" {
			t.Errorf("descriptor 3 got %q, %v", b, err)
		}
		return errors.Join(err, c.Wait(ctx))
	})
}

// A thousand at once; each has its own output, and the loop is never held.
//
// conformance: subprocess-37
func TestMany_atOnce_eachItsOwnOutput(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	run(t, func(ctx context.Context) error {
		before := descriptors(t)
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range n {
				g.Go(func(ctx context.Context) error {
					want := fmt.Sprint("output of ", i)
					out, _, err := aioexec.Command("cat").Communicate(ctx, []byte(want))
					if string(out) != want {
						t.Errorf("got %q, want %q", out, want)
					}
					return err
				})
			}
			return nil
		})
		if after := descriptors(t); after > before+2 {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
		return err
	}, asyncio.WithWatchdog(0))
}

func TestCopy_writerThatFails_isTheError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		full := errors.New("disk full")
		c := aioexec.Command("yes")
		c.Stdout = failing{full}
		if err := c.Run(ctx); err == nil {
			t.Errorf("Run = %v", err)
		}
		c = aioexec.Command("echo", "x")
		c.Stdout = failing{full}
		if err := c.Run(ctx); !errors.Is(err, full) {
			t.Errorf("Run = %v, want %v", err, full)
		}
		return nil
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestOutput_longErrors_beginningAndEndAreKept(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := aioexec.Shell("echo first >&2; yes | head -c 200000 >&2; echo last >&2; exit 1").Output(ctx)
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		s := string(exit.Stderr)
		if len(s) > 70_000 || !strings.HasPrefix(s, "first\n") || !strings.HasSuffix(s, "last\n") || !strings.Contains(s, "left out") {
			t.Errorf("%d bytes: %.20q ... %.20q", len(s), s, s[len(s)-20:])
		}
		return nil
	})
}

// What the process writes waits in the pipe while nobody reads; a Reader of the
// smallest limit still gets all of it.
//
// conformance: pipe-06
func TestStdoutPipe_readerWithATinyLimit_readsEverything(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := aioexec.Shell("yes 0123456789 | head -c 1000000")
		out, err := startReading(ctx, c)
		if err != nil {
			return err
		}
		defer out.Close()
		r, n := aionet.NewReader(out, aionet.WithLimit(1)), 0
		for buf := make([]byte, 4096); ; {
			got, err := r.Read(buf)
			n += got
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
		if n != 1_000_000 {
			t.Errorf("%d bytes", n)
		}
		return c.Wait(ctx)
	})
}
