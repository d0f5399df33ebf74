// Command logfollow runs commands that print logs, side by side, and prints their lines as one stream, each with the
// name of its source:
//
//	logfollow -grep error web='tail -F /var/log/nginx/access.log' db='journalctl -f -u postgresql'
//
// A command that ends is started again, after a pause that grows while it keeps failing. Ctrl-C or SIGTERM stops all
// of them, with their children, and prints how many lines came from each.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
)

func main() {
	grep := flag.String("grep", "", "print only lines that match this regular expression")
	pause := flag.Duration("pause", time.Second, "before a command that has ended is started again, at first")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: logfollow [flags] name='command'...")
		flag.PrintDefaults()
	}
	flag.Parse()
	f, err := newFollower(os.Stdout, *grep, *pause, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "logfollow:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = asyncio.Run(ctx, f.run, asyncio.WithInterrupt(false))
	f.summary(os.Stderr)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "logfollow:", err)
		os.Exit(1)
	}
}

// follower is the whole program. Its tasks share it without locks: only one of them runs at a time.
type follower struct {
	out     io.Writer
	match   *regexp.Regexp
	pause   time.Duration
	sources []*source
}

type source struct {
	name, command string
	lines         int
	starts        int
}

func newFollower(out io.Writer, grep string, pause time.Duration, args []string) (*follower, error) {
	if len(args) == 0 {
		return nil, errors.New("no commands; give some as name='command'")
	}
	if pause <= 0 {
		return nil, fmt.Errorf("the pause is %v; it must be positive", pause)
	}
	match, err := regexp.Compile(grep)
	if err != nil {
		return nil, err
	}
	f := &follower{out: out, match: match, pause: pause}
	for _, arg := range args {
		name, command, ok := strings.Cut(arg, "=")
		if !ok || name == "" || strings.TrimSpace(command) == "" {
			return nil, fmt.Errorf("%q is not of the form name='command'", arg)
		}
		f.sources = append(f.sources, &source{name: name, command: command})
	}
	return f, nil
}

// run follows all sources until ctx ends.
func (f *follower) run(ctx context.Context) error {
	return asyncio.Group(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
		for _, s := range f.sources {
			g.Go(func(ctx context.Context) error { return f.follow(ctx, s) }, asyncio.Name(s.name))
		}
		return nil
	})
}

// follow keeps one command running.
func (f *follower) follow(ctx context.Context, s *source) error {
	pause := f.pause
	for {
		before := s.lines
		err := f.once(ctx, s)
		if ctx.Err() != nil || errors.Is(err, errOutput) {
			return err
		}
		if s.lines > before {
			pause = f.pause
		}
		fmt.Fprintf(os.Stderr, "logfollow: %s has ended (%v); again in %v\n", s.name, err, pause)
		if err := asyncio.Sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, time.Minute)
	}
}

var errOutput = errors.New("cannot print")

// once runs the command to its end and prints what it says.
func (f *follower) once(ctx context.Context, s *source) error {
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		cmd := aioexec.Shell(s.command)
		cmd.Group = true // what the shell starts is stopped with it
		out, err := cmd.StdoutPipe(ctx)
		if err != nil {
			return err
		}
		defer out.Close()
		cmd.Stderr = os.Stderr
		if err := cmd.Start(ctx); err != nil {
			return err
		}
		s.starts++
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if line != "" && f.match.MatchString(line) {
				s.lines++
				if _, err := fmt.Fprintf(f.out, "%s | %s\n", s.name, strings.TrimSuffix(line, "\n")); err != nil {
					return fmt.Errorf("%w: %w", errOutput, err)
				}
			}
			if err == io.EOF {
				return cmd.Wait(ctx)
			}
			if err != nil {
				return err
			}
		}
	})
}

func (f *follower) summary(w io.Writer) {
	for _, s := range f.sources {
		fmt.Fprintf(w, "%s: %d lines, started %d times\n", s.name, s.lines, s.starts)
	}
}
