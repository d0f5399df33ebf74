package poller

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// answerLimit is for a server that is there and too busy to answer.
const answerLimit = time.Second

func removeDead(network, path string) error {
	if err := removeIfDead(network, path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // its owner, or another one who is to listen there, has just removed it
}

func removeIfDead(network, path string) error {
	file, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if file.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is no socket, and stays", path)
	}
	c, err := net.DialTimeout(network, path, answerLimit)
	if err == nil {
		c.Close()
		return fmt.Errorf("somebody answers at %s", path)
	}
	if !nobodyAnswers(err) {
		return err
	}
	now, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(file, now) {
		return fmt.Errorf("somebody has just replaced %s", path)
	}
	return os.Remove(path)
}
