package engine

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"
)

// A blocker is who holds the loop, as its stack shows.
type blocker struct {
	doing
	stack []runtime.Frame // trimmed to what users know; empty if it was not found
	more  int             // others that it might be as well
}

// blocker looks for who holds the loop.
func (l *Loop) blocker() blocker {
	stacks := l.holders()
	if len(stacks) == 0 {
		return blocker{}
	}
	h := blocker{doing: whatDoes(stacks[0]), stack: trim(stacks[0]), more: len(stacks) - 1}
	if len(h.stack) == 0 { // nothing of it is the user's
		h.doing = doing{what: "is in the loop's own code", waits: h.waits}
		h.stack = stacks[0][:min(len(stacks[0]), 8)]
	}
	return h
}

// place returns the user's line, or "".
func (h blocker) place() string {
	if f, ok := usersFrame(h.stack); ok {
		return fmt.Sprintf("%s:%d (%s)", f.File, f.Line, shortName(f.Function))
	}
	return ""
}

// A report is what the loop has to say to who runs the program.
type report struct {
	level   slog.Level // Warn if it is zero
	message string
	advice  string
	task    string
	held    time.Duration
	share   float64
	doing   string
	at      string
	created string
	err     error
	lines   []string
	stack   []runtime.Frame
}

func blockReport(task string, held time.Duration, again bool, h blocker) *report {
	r := &report{message: "the event loop is blocked", advice: h.advice, task: task, held: held, doing: h.what, at: h.place(), stack: h.stack}
	if again {
		r.message = "the event loop is still blocked"
	}
	if h.more > 0 {
		r.lines = []string{fmt.Sprintf("it may also be one of %d other loops' steps: there are more loops than can be told apart", h.more)}
	}
	return r
}

// say logs a report: as text for people if nobody has said where to log to and
// that is a terminal, else with attributes for programs.
func (l *Loop) say(r *report) {
	defer func() { // a broken slog.Handler must not end the program
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "asyncio: logging panicked: %v\n", v)
			r.writeTo(os.Stderr)
		}
	}()
	if r.level == 0 {
		r.level = slog.LevelWarn
	}
	if l.Logger == nil && readByPeople() {
		r.writeTo(os.Stderr)
		return
	}
	l.Log().LogAttrs(context.Background(), r.level, "asyncio: "+r.sentence(), r.attributes()...)
}

func (r *report) sentence() string {
	if r.advice == "" {
		return r.message
	}
	return r.message + "; " + r.advice
}

func (r *report) attributes() []slog.Attr {
	var attrs []slog.Attr
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	if r.err != nil {
		attrs = append(attrs, slog.Any("err", r.err))
	}
	text("task", r.task)
	if r.held > 0 {
		attrs = append(attrs, slog.Duration("for", r.held))
	}
	if r.share > 0 {
		attrs = append(attrs, slog.Float64("share", r.share))
	}
	text("doing", r.doing)
	text("at", r.at)
	text("lines", strings.Join(r.lines, "\n"))
	text("created", r.created)
	text("stack", stackText(r.stack))
	return attrs
}

// writeTo writes the report for people, in one piece.
func (r *report) writeTo(w io.Writer) {
	var b strings.Builder
	fmt.Fprintf(&b, "asyncio: %s", r.message)
	if r.held > 0 {
		fmt.Fprintf(&b, " (for %v)", r.held.Round(time.Millisecond))
	}
	b.WriteByte('\n')
	if r.task != "" {
		fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(r.task+" "+r.doing))
	}
	if r.at != "" {
		fmt.Fprintf(&b, "  at %s\n", r.at)
	}
	for _, line := range r.lines {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if r.err != nil {
		fmt.Fprintf(&b, "  %s\n", indent(r.err.Error()))
	}
	if r.created != "" {
		fmt.Fprintf(&b, "  created at %s\n", r.created)
	}
	if r.advice != "" {
		fmt.Fprintf(&b, "  What to do: %s.\n", r.advice)
	}
	if len(r.stack) > 0 {
		fmt.Fprintf(&b, "  Stack, the innermost call first:\n    %s\n", strings.ReplaceAll(stackText(r.stack), "\n", "\n    "))
	}
	_, _ = io.WriteString(w, b.String())
}

func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// readByPeople reports whether slog's default is as Go has set it up, so that it
// writes to the standard error, and that is a terminal.
func readByPeople() bool {
	if fmt.Sprintf("%T", slog.Default().Handler()) != "*slog.defaultHandler" || log.Writer() != io.Writer(os.Stderr) {
		return false
	}
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
