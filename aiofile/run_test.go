package aiofile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// onLoop runs main on a loop with a time limit, and fails the test with its error.
func onLoop(t testing.TB, main func(ctx context.Context) error, opts ...asyncio.Option) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, 60*time.Second, main)
	}, opts...)
	if err != nil {
		t.Fatal(err)
	}
}

// fileWith returns the name of a new file with that content.
func fileWith(t testing.TB, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// opened returns an open file, which is closed with its loop.
func opened(t testing.TB, ctx context.Context, name string, flag int) *aiofile.File {
	t.Helper()
	f, err := aiofile.OpenFile(ctx, name, flag, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wantContent(t testing.TB, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || string(got) != want {
		t.Errorf("%s has %s, %v; want %s", filepath.Base(name), brief(string(got)), err, brief(want))
	}
}

func brief(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q... (%d bytes)", s[:80], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// wantPathError wants err to be what package os would return: op, name and target in it.
func wantPathError(t testing.TB, err error, name string, target error) {
	t.Helper()
	var p *fs.PathError
	if !errors.As(err, &p) || p.Path != name || !errors.Is(err, target) {
		t.Errorf("the error is %v (%T), want a PathError of %s that is %v", err, err, name, target)
	}
}

// wantOnly wants nothing else in the directory.
func wantOnly(t testing.TB, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the directory has %q, %v; want %q", got, err, names)
	}
}

// cancelled runs fn as a task, lets it get to where it waits, cancels it and returns its error.
func cancelled(ctx context.Context, fn func(ctx context.Context) error) error {
	task := asyncio.Go(ctx, fn)
	for range 3 {
		_ = asyncio.Yield(ctx)
	}
	task.Cancel()
	_, err := task.Await(ctx)
	return err
}

func mustPanic(t testing.TB, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); !strings.Contains(fmt.Sprint(v), want) {
			t.Errorf("it panicked with %v, want %q", v, want)
		}
	}()
	fn()
}
