package pipe

import (
	"errors"
	"os"

	"github.com/creack/pty"
)

// OpenPTY opens a pseudo-terminal. The secondary side is for a process.
func (s System) OpenPTY(h Host) (primary Pipe, secondary *os.File, err error) {
	f, secondary, err := pty.Open()
	if errors.Is(err, pty.ErrUnsupported) {
		return nil, nil, errors.ErrUnsupported
	}
	if err != nil {
		return nil, nil, err
	}
	// Nobody shares it. A write to one that blocks might wait for ever, as poll promises room for no more than a byte.
	if err = WithDescriptor(f, setNonblock); err == nil {
		primary, err = s.Adopt(h, f)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(), secondary.Close())
	}
	return primary, secondary, nil
}
