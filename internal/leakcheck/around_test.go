package leakcheck

import (
	"errors"
	"strings"
	"testing"
)

func TestAround_returnsTheErrorOrWhatLeaked(t *testing.T) {
	if err := Around(func() error { return nil }); err != nil {
		t.Errorf("nothing failed, nothing leaked: %v", err)
	}
	if own := errors.New("own"); Around(func() error { return own }) != own {
		t.Error("the error is another one")
	}
	end := make(chan struct{})
	defer close(end)
	err := Around(func() error { go blockUntil(end); return nil })
	if err == nil || !strings.Contains(err.Error(), "blockUntil") {
		t.Errorf("a goroutine leaked: %v", err)
	}
}
