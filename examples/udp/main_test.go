package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// asks is a client that sends each argument after the address as a datagram, and prints the answers.
const asks = `
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((host, int(port)))
for question in sys.argv[2:]:
    s.send(question.encode())
    if len(question) <= 1200:
        sys.stdout.write(s.recv(2000).decode())
`

// output is what the service prints.
type output struct {
	lines chan string
}

func (o output) Write(p []byte) (int, error) {
	o.lines <- string(p)
	return len(p), nil
}

// serving runs the service while body runs in a thread, and returns the last line that the service printed.
func serving(t *testing.T, body func(addr string)) string {
	t.Helper()
	out := output{make(chan string, 100)}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		server := asyncio.Go(ctx, func(ctx context.Context) error {
			return serve(ctx, "127.0.0.1:0", time.Hour, time.Hour, out)
		})
		_, err := asyncio.ToThread(ctx, func() (struct{}, error) {
			body(strings.TrimSpace(strings.TrimPrefix(<-out.lines, "serving ")))
			return struct{}{}, nil
		})
		server.Cancel()
		if _, ended := server.Await(ctx); !errors.Is(ended, context.Canceled) {
			t.Errorf("the service ended with %v", ended)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return <-out.lines
}

func TestService_answersARealClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to ask with")
	}
	last := serving(t, func(addr string) {
		questions := []string{"get colour", "set colour light blue", "get colour\n", "del colour", "del colour", "what?", strings.Repeat("x", 1201), "stats"}
		out, err := exec.Command(python, append([]string{"-c", asks, addr}, questions...)...).CombinedOutput()
		want := "none\nok\nvalue light blue\nok\nnone\n" +
			"error: set NAME VALUE, get NAME, del NAME, time or stats\nstats 8 asked, 0 entries, 2 errors\n"
		if err != nil || string(out) != want {
			t.Errorf("%v\n%s", err, out)
		}
	})
	if last != "stats 8 asked, 0 entries, 2 errors\n" {
		t.Errorf("printed %q at the end", last)
	}
}

func TestStore_entries_areForgottenAfterTheirTime(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		s := &store{loop: asyncio.RunningLoop(ctx), ttl: time.Minute, entries: make(map[string]*entry)}
		get := func(want string) {
			t.Helper()
			if got := s.answer("get a"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		s.answer("set a 1")
		_ = asyncio.Sleep(ctx, 59*time.Second)
		get("value 1")
		s.answer("set a 2") // begins anew
		_ = asyncio.Sleep(ctx, 59*time.Second)
		get("value 2")
		_ = asyncio.Sleep(ctx, time.Second)
		get("none")
		return nil
	}, asyncio.WithVirtualClock())
	if err != nil {
		t.Fatal(err)
	}
}
