//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// The test binary is the command when this is set.
const asCommand = "MIRROR_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// succeeds runs the command and expects the summary in the end; it returns what came before it.
func succeeds(t *testing.T, summary string, args ...string) []string {
	t.Helper()
	said, err := command(args...).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if last := lines[len(lines)-1]; err != nil || last != summary {
		t.Fatalf("%v, %s\nwant %q", err, said, summary)
	}
	return lines[:len(lines)-1]
}

// do runs a program of the system.
func do(t *testing.T, name string, args ...string) {
	t.Helper()
	if said, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, said)
	}
}

// diff expects two trees to be equal, in links and permissions, too.
func diff(t *testing.T, a, b string) {
	t.Helper()
	do(t, "diff", "-r", "--no-dereference", a, b)
	if la, lb := list(t, a), list(t, b); la != lb {
		t.Errorf("%s has\n%s\n%s has\n%s", a, la, b, lb)
	}
}

// list says what diff does not look at.
func list(t *testing.T, root string) string {
	t.Helper()
	var s strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		fmt.Fprint(&s, rel, " ", info.Mode())
		if info.Mode().IsRegular() {
			fmt.Fprint(&s, " ", info.ModTime())
		}
		fmt.Fprintln(&s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree makes a tree of twelve files and a link.
func tree(t *testing.T) (from, to string) {
	t.Helper()
	dir := t.TempDir()
	from, to = filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for i := range 10 {
		write(t, filepath.Join(from, "many", fmt.Sprint(i)), strings.Repeat("x", i*i*i))
	}
	write(t, filepath.Join(from, "a", "b", "c"), "deep")
	write(t, filepath.Join(from, "run"), "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(from, "run"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a/b", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	return from, to
}

func TestMirror_newTree_thenNothingToDo(t *testing.T) {
	from, to := tree(t)
	succeeds(t, "13 copied (2039 bytes), 0 as they were, 0 removed", from, to)
	diff(t, from, to)
	succeeds(t, "0 copied (0 bytes), 13 as they were, 0 removed", from+"/", to+"/")

	other := to + ".cp"
	do(t, "cp", "-a", from, other)
	succeeds(t, "0 copied (0 bytes), 13 as they were, 0 removed", from, other)
}

func TestMirror_whatHasChanged_isMadeEqual(t *testing.T) {
	from, to := tree(t)
	do(t, "cp", "-a", from, to)
	write(t, filepath.Join(from, "many", "3"), strings.Repeat("y", 27)) // as long, but later
	write(t, filepath.Join(from, "a", "new"), "new")
	write(t, filepath.Join(to, "extra", "tree", "file"), "too much")
	write(t, filepath.Join(to, "many", "extra"), "too much")
	for _, step := range []error{
		os.Chmod(filepath.Join(from, "many", "4"), 0o600),
		os.Remove(filepath.Join(to, "link")),
		os.Symlink("elsewhere", filepath.Join(to, "link")),
		os.Remove(filepath.Join(to, "run")), // a directory has its place
		os.RemoveAll(filepath.Join(to, "a")),
		os.Symlink("many", filepath.Join(to, "a")), // and a link that of a directory
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	write(t, filepath.Join(to, "run", "inside"), "too much")

	before := list(t, to)
	says := succeeds(t, "6 copied (108 bytes), 8 as they were, 4 removed", "-n", from, to)
	if len(says) != 11 || list(t, to) != before {
		t.Errorf("it was only to say what it would do, and said %q", says)
	}
	if says := succeeds(t, "6 copied (108 bytes), 8 as they were, 4 removed", from, to); len(says) != 0 {
		t.Errorf("it says %q", says)
	}
	diff(t, from, to)
}

// It is stopped while it copies many files; what there is then is whole, and the next time does the rest. It cannot be
// through before: it names what it has copied in a pipe that is too small for all the names, and nobody reads on until
// it is known to have heard the signal.
func TestMirror_stopped_leavesNoHalfFileAndGoesOn(t *testing.T) {
	const files, size = 300, 1 << 12
	name := strings.Repeat("n", 240)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		content := strings.Repeat("0123456789abcdef", size/16)
		for i := range files {
			write(t, filepath.Join(from, fmt.Sprint(name, i)), content)
		}
		cmd := command("-v", "-jobs", "2", from, to)
		stdout, err1 := cmd.StdoutPipe()
		stderr, err2 := cmd.StderrPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		copied := bufio.NewReader(stdout)
		for range 5 { // until it is at it
			if _, err := copied.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		warning, _ := bufio.NewReader(stderr).ReadString('\n') // the end of the process, if it was killed
		said, err := io.ReadAll(copied)
		if err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		done := len(whole(t, to, size))
		if err == nil || done == files {
			t.Fatalf("%v: it was not stopped in the middle: %v, %d files", sig, err, done)
		}
		left := temporaries(t, to)
		if sig != syscall.SIGKILL && (cmd.ProcessState.ExitCode() != 1 || left != 0 || warning != "mirror: stopping\n" || !bytes.Contains(said, []byte(" copied ("))) {
			t.Errorf("%v: %v, %d temporary files, %q, %s", sig, err, left, warning, said)
		}
		unfinished := 0
		if sig == syscall.SIGKILL {
			unfinished = 2 // that many files may not have had their time
		}
		again, err := command(from, to).CombinedOutput()
		var now, bytes, same int
		fmt.Sscanf(string(again), "%d copied (%d bytes), %d as they were", &now, &bytes, &same)
		if err != nil || now+same != files || same < done-unfinished {
			t.Errorf("%v: after %d files the second time did this: %v, %s", sig, done, err, again)
		}
		diff(t, from, to)
	}
}

// whole returns the files in dir that have their names, and expects each to have its size.
func whole(t *testing.T, dir string, size int64) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		names = append(names, e.Name())
		if info.Size() != size {
			t.Errorf("%s has %d bytes", e.Name(), info.Size())
		}
	}
	return names
}

func temporaries(t *testing.T, dir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func TestMirror_whatIsNeitherFileNorLink_isNamed(t *testing.T) {
	from, to := tree(t)
	if err := syscall.Mkfifo(filepath.Join(from, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := succeeds(t, "13 copied (2039 bytes), 0 as they were, 0 removed", from, to)
	if len(said) != 1 || !strings.HasSuffix(said[0], filepath.Join(from, "fifo")) {
		t.Errorf("it says %q", said)
	}
}

func TestMirror_wrong_touchesNothing(t *testing.T) {
	from, to := tree(t)
	file := filepath.Join(from, "run")
	do(t, "cp", "-a", from, to)
	write(t, to+".file", "no tree")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "usage", []string{from}},
		{2, "usage", []string{"-jobs", "0", from, to}},
		{1, "mirror: lstat " + from + ".none: no such file", []string{from + ".none", to}},
		{1, "not a directory", []string{file, to}},
		{1, "not a directory", []string{from, to + ".file"}},
		{1, "is in the other", []string{from, filepath.Join(from, "a")}},
		{1, "is in the other", []string{filepath.Join(from, "a"), from}},
		{1, "is in the other", []string{from, from}},
	} {
		cmd := command(c.args...)
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(said), c.want) {
			t.Errorf("%q: exit %d, %s", c.args, code, said)
		}
		diff(t, from, to)
	}
}
