//go:build !windows

package aionet_test

import (
	"os"
	"testing"
)

// descriptors counts those that are open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
