//go:build unix

package aioexec_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
)

func ExampleCmd_Output() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		out, err := aioexec.Command("echo", "hello").Output(ctx)
		fmt.Printf("%q %v\n", out, err)
		return nil
	})
	// Output: "hello\n" <nil>
}

func ExampleCmd_Communicate() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		sorted, _, err := aioexec.Command("sort").Communicate(ctx, []byte("b\nc\na\n"))
		fmt.Printf("%q %v\n", sorted, err)
		return nil
	})
	// Output: "a\nb\nc\n" <nil>
}

// A process that runs for too long is asked to end, and the error says why.
func ExampleCmd_Run_timeout() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, 200*time.Millisecond, aioexec.Command("sleep", "1000").Run)
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded), err)
	// Output: true aioexec: run sleep: asyncio: timed out after 200ms
}

// Several processes run at once; the slowest says how long it takes.
func ExampleShell() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		word := func(line string) asyncio.Coroutine[string] {
			return func(ctx context.Context) (string, error) {
				out, err := aioexec.Shell(line).Output(ctx)
				return strings.TrimSpace(string(out)), err
			}
		}
		words, err := asyncio.Gather(ctx, word("sleep 0.02; echo slow"), word("echo quick"))
		fmt.Println(words, err)
		return nil
	})
	// Output: [slow quick] <nil>
}

// A process's output, line by line, while it runs.
func ExampleCmd_StdoutPipe() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		cmd := aioexec.Shell("echo one; echo two; exit 3")
		out, err := cmd.StdoutPipe(ctx)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Println(lines.Text())
		}
		return cmd.Wait(ctx)
	})
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		fmt.Println("exit code", exit.ExitCode())
	}
	// Output:
	// one
	// two
	// exit code 3
}

// An *os.File is handed to the process itself; nothing is copied.
func ExampleCmd_Start() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		cmd := aioexec.Command("echo", "from the process")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		return cmd.Wait(ctx)
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A group of processes is stopped as a whole.
func ExampleCmd_Kill() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		cmd := aioexec.Shell("sleep 1000 & sleep 1000")
		cmd.Group = true
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		cmd.Kill()
		fmt.Println(cmd.Wait(ctx))
		return nil
	})
	// Output: aioexec: run /bin/sh: signal: killed
}
