package poller_test

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/go-asyncio/asyncio/internal/poller"
)

func TestWatch_pidfd_isReadableWhenTheProcessHasEnded(t *testing.T) {
	each(t, func(t *testing.T, p poller.Poller) {
		cmd := exec.Command("cat") // ends with its input
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		w, ended := watch(t, p, fd, poller.Level)
		arm(t, w, poller.Read)
		if _, err := p.Wait(0); err != nil || ended.seen != 0 {
			t.Errorf("Ready(%d) while the process runs, %v", ended.seen, err)
		}
		in.Close()
		waitFor(t, p, ended, poller.Read)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	})
}
