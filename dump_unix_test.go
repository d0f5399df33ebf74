//go:build unix

package asyncio_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func init() {
	children["quit"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			fmt.Println("ready")
			return asyncio.Sleep(ctx, time.Minute)
		})
	}
	children["quit while blocked"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			fmt.Println("ready")
			hangHere()
			return nil
		}, asyncio.WithWatchdog(0))
	}
	children["quit without a dump"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			fmt.Println("ready")
			return asyncio.Sleep(ctx, time.Minute)
		}, asyncio.WithQuitDump(false))
	}
	children["quit handled"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			var quit asyncio.Event
			asyncio.RunningLoop(ctx).AddSignalHandler(syscall.SIGQUIT, func(os.Signal) { quit.Set() })
			fmt.Println("ready")
			err := quit.Wait(ctx)
			fmt.Println("handled")
			return err
		}, asyncio.WithWatchdog(0))
	}
	children["quit handled often"] = func() {
		for range 200 {
			asyncio.Run(context.Background(), func(ctx context.Context) error {
				var quit asyncio.Event
				asyncio.RunningLoop(ctx).AddSignalHandler(syscall.SIGQUIT, func(os.Signal) { quit.Set() })
				syscall.Kill(os.Getpid(), syscall.SIGQUIT)
				return quit.Wait(ctx)
			})
		}
	}
	children["failing"] = func() {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			asyncio.Go(ctx, func(context.Context) error { return panicHere() }, asyncio.Name("unlucky"))
			asyncio.Yield(ctx)
			asyncio.Yield(ctx)
			time.Sleep(300 * time.Millisecond)
			return nil
		})
	}
}

//go:noinline
func hangHere() { select {} }

// childStderr is child with what the program writes to its standard error.
func childStderr(t *testing.T, name string) (cmd *exec.Cmd, lines *bufio.Scanner, stderr io.Reader) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	out, err := cmd.StdoutPipe()
	wantErr(t, "StdoutPipe", err, nil)
	stderr, err = cmd.StderrPipe()
	wantErr(t, "StderrPipe", err, nil)
	wantErr(t, "Start", cmd.Start(), nil)
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out), stderr
}

// SIGQUIT ends the program as it does without the library, after the dump.
func TestQuit_writesWhatTasksDo_andThenGoesItsWay(t *testing.T) {
	for _, c := range []struct {
		child string
		wants []string
	}{
		{"quit", []string{"asyncio: event loop 1 has 1 task\n", "main waits for a timer (at ", "dump_unix_test.go:", "SIGQUIT: quit"}},
		{"quit while blocked", []string{"cannot be listed as the loop is blocked", "main waits", "dump_unix_test.go:", "hangHere", "SIGQUIT: quit"}},
		{"quit without a dump", []string{"SIGQUIT: quit"}},
	} {
		t.Run(c.child, func(t *testing.T) {
			cmd, lines, stderr := childStderr(t, c.child)
			wantLine(t, lines, "ready")
			cmd.Process.Signal(syscall.SIGQUIT)
			text, err := io.ReadAll(stderr)
			wantErr(t, "ReadAll", err, nil)
			wantAll(t, string(text), c.wants...)
			if len(c.wants) == 1 && strings.Contains(string(text), "event loop 1") {
				t.Errorf("the dump was switched off:\n%s", text)
			}
			if cmd.Wait(); cmd.ProcessState.ExitCode() != 2 {
				t.Errorf("the program ended with %v, want Go's exit code 2", cmd.ProcessState)
			}
		})
	}
}

func TestQuit_aHandlerOfTheLoop_takesOver(t *testing.T) {
	cmd, lines, stderr := childStderr(t, "quit handled")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(syscall.SIGQUIT)
	wantLine(t, lines, "handled")
	text, _ := io.ReadAll(stderr)
	if err := cmd.Wait(); err != nil || len(text) > 0 {
		t.Errorf("the program ended with %v, and wrote\n%s", err, text)
	}
}

// Also if the handler has ended the loop before anybody else has looked at the signal.
func TestQuit_aHandlerOfTheLoop_hasEachSignalForItself(t *testing.T) {
	cmd, _, stderr := childStderr(t, "quit handled often")
	text, _ := io.ReadAll(stderr)
	if err := cmd.Wait(); err != nil || len(text) > 0 {
		t.Errorf("the program ended with %v, and wrote\n%s", err, text)
	}
}

// A program that hangs tells at the first Ctrl-C where.
func TestInterrupt_loopIsBlocked_saysWhere_andTheSecondEndsTheProgram(t *testing.T) {
	cmd, lines, stderr := childStderr(t, "quit while blocked")
	wantLine(t, lines, "ready")
	cmd.Process.Signal(os.Interrupt)
	said := bufio.NewScanner(stderr)
	if !said.Scan() {
		t.Fatal("nothing was said")
	}
	wantAll(t, said.Text(), "interrupted, but the event loop is blocked", "interrupt again", "dump_unix_test.go:", "hangHere")
	cmd.Process.Signal(os.Interrupt)
	wantSignal(t, cmd)
}

// On a terminal, and if nobody has set up another logger, reports are lines that a
// person reads.
func TestReport_onATerminal_isText(t *testing.T) {
	run(t, func(ctx context.Context) error {
		terminal, side, err := aiofile.OpenPTY(ctx)
		if err != nil {
			t.Skip(err)
		}
		defer terminal.Close()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"=failing")
		cmd.Stderr = side
		wantErr(t, "Start", cmd.Start(), nil)
		side.Close()
		text, _ := io.ReadAll(terminal) // ends with an error of the terminal's
		wantErr(t, "Wait", cmd.Wait(), nil)
		lines := strings.ReplaceAll(string(text), "\r\n", "\n")
		wantAll(t, lines, "asyncio: a task panicked\n", "  unlucky\n  asyncio: panic: boom\n", "  asyncio_test.panicHere\n", "\n  created at ", "dump_unix_test.go:")
		wantAll(t, lines, "asyncio: the event loop is blocked (for ", "  main sleeps in time.Sleep\n  at ", "dump_unix_test.go:",
			"\n  What to do: use asyncio.Sleep.\n  Stack, the innermost call first:\n    time.Sleep\n")
		if strings.Contains(lines, "level=") || strings.Contains(lines, `\n`) || strings.Contains(lines, "WARN") {
			t.Errorf("not for people:\n%s", lines)
		}
		return nil
	})
}
