package aiofile_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

const tooLong = "<too long>"

// split returns what Lines makes of a text that is read in small pieces.
func split(t testing.TB, text string, limit int) []string {
	var got []string
	read := iotest.HalfReader(iotest.DataErrReader(strings.NewReader(text))).Read
	for line, err := range aiofile.SplitLines("text", limit, read) {
		if errors.Is(err, bufio.ErrTooLong) {
			line = tooLong
		} else if err != nil {
			t.Fatalf("reading lines of %q: %v", text, err)
		}
		got = append(got, line)
	}
	return got
}

// plainSplit is what split should be, and could be if files were small.
func plainSplit(text string, limit int) []string {
	lines := strings.Split(text, "\n")
	last := len(lines) - 1
	for i := range lines {
		if i < last {
			lines[i] = strings.TrimSuffix(lines[i], "\r")
		}
		if len(lines[i]) > limit {
			lines[i] = tooLong
		}
	}
	if lines[last] == "" {
		lines = lines[:last]
	}
	return lines
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "\r\n", "\r", "a", "a\n", "a\nb", "a\r\nb\r\n", "a\rb\n", "\n\n\n", "a\r", "12345678\r\n", "123456789\n",
		"\xff\xfe\n\x00\n", "a very long line\nshort\n", "a very long line", "12345678\r", strings.Repeat("x", 100_000) + "\nz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, limit := range []int{1, 8, 1 << 20} {
			if got, want := split(t, text, limit), plainSplit(text, limit); !slices.Equal(got, want) {
				t.Errorf("with a limit of %d, %q has the lines %q, want %q", limit, text, got, want)
			}
		}
	})
}

func TestFile_Lines_afterALineThatIsTooLong_goesOn(t *testing.T) {
	name := fileWith(t, "first\n"+strings.Repeat("x", 1<<20+1)+"\nthird\n"+strings.Repeat("y", 1<<20)+"\nlast")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		var got []string
		for line, err := range f.Lines(ctx) {
			if err != nil {
				wantPathError(t, err, name, bufio.ErrTooLong)
				if !strings.Contains(err.Error(), "line 2 is longer than 1048576 bytes") {
					t.Errorf("the error does not say which line: %v", err)
				}
			}
			got = append(got, line[:min(len(line), 5)])
		}
		if want := []string{"first", "", "third", "yyyyy", "last"}; !slices.Equal(got, want) {
			t.Errorf("the lines are %q, want %q", got, want)
		}
		mustPanic(t, "LinesLimit: the limit is 0", func() { f.LinesLimit(ctx, 0) })
		return nil
	})
}

func TestFile_Lines_ofAFileThatGrows_goesOnWhereItEnded(t *testing.T) {
	name := fileWith(t, "one\ntwo\n")
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		var got []string
		for round := range 2 {
			for line, err := range f.Lines(ctx) {
				if err != nil {
					return err
				}
				got = append(got, line)
			}
			if round == 0 {
				if err := aiofile.AppendFile(ctx, name, []byte("three\n"), 0); err != nil {
					return err
				}
			}
		}
		if strings.Join(got, " ") != "one two three" {
			t.Errorf("the lines are %q", got)
		}
		return nil
	})
}

func TestFile_Lines_cancelled_lastRoundHasTheCause(t *testing.T) {
	name := fileWith(t, strings.Repeat("line\n", 100_000))
	onLoop(t, func(ctx context.Context) error {
		f := opened(t, ctx, name, os.O_RDONLY)
		var errs []error
		var task *asyncio.Task[asyncio.None]
		task = asyncio.Go(ctx, func(ctx context.Context) error {
			for _, err := range f.Lines(ctx) {
				task.Cancel()
				if err != nil {
					errs = append(errs, err)
				}
			}
			return nil
		})
		_, err := task.Await(ctx)
		if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
			t.Errorf("the errors are %v, want the cause once", errs)
		}
		return err
	})
}
