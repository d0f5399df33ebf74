package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// streams are where a command writes: results to out, all that a person should
// know meanwhile to err.
type streams struct {
	out io.Writer
	err *statusLine
}

func (s *streams) say(text string) { fmt.Fprintf(s.err, "asyncio: %s\n", text) }

// logger writes what happens to err. A terminal gets only warnings: the rest is
// in the status line.
func (s *streams) logger(asJSON bool) *slog.Logger {
	switch {
	case asJSON:
		return slog.New(slog.NewJSONHandler(s.err, nil))
	case s.err.isTerminal:
		return slog.New(&plainHandler{s: s, level: slog.LevelWarn})
	default:
		return slog.New(slog.NewTextHandler(s.err, nil))
	}
}

// plainHandler writes log records as sentences.
type plainHandler struct {
	s     *streams
	level slog.Level
	attrs []slog.Attr
}

func (h *plainHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(r.Message, "asyncio: "))
	add := func(a slog.Attr) bool {
		fmt.Fprintf(&b, ", %s: %v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.s.say(b.String())
	return nil
}

func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &plainHandler{h.s, h.level, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *plainHandler) WithGroup(string) slog.Handler { return h }

// statusLine is a stream whose last line, on a terminal, shows how things stand.
// What is written to it goes above that line.
type statusLine struct {
	w          io.Writer
	fd         int
	isTerminal bool
	mu         sync.Mutex // the watchdog logs from its own goroutine
	line       string
}

func newStatusLine(w io.Writer) *statusLine {
	s := &statusLine{w: w}
	if f, ok := w.(*os.File); ok {
		s.fd = int(f.Fd())
		s.isTerminal = term.IsTerminal(s.fd)
	}
	return s
}

// eraseLine brings the cursor to the beginning of the line and empties that.
const eraseLine = "\r\x1b[K"

// show replaces the line; "" takes it away.
func (s *statusLine) show(line string) {
	if !s.isTerminal {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if width, _, err := term.GetSize(s.fd); err == nil && width > 1 && len(line) >= width {
		line = line[:width-1]
	}
	s.line = line
	io.WriteString(s.w, eraseLine+line)
}

func (s *statusLine) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		io.WriteString(s.w, eraseLine)
		defer io.WriteString(s.w, s.line)
	}
	return s.w.Write(p)
}
