//go:build !(linux || darwin || freebsd || dragonfly)

package poller

import (
	"errors"
	"fmt"
)

func (p *portable) Watch(int, Owner, Trigger) (Watch, error) {
	return nil, fmt.Errorf("watching a descriptor: %w on this system", errors.ErrUnsupported)
}
