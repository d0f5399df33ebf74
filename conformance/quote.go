package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// count is how many of those that apply a test holds.
type count struct{ held, apply int }

func (c count) String() string { return fmt.Sprintf("%d of %d", c.held, c.apply) }

// countHeld counts the rows that apply.
func countHeld(rows []row, held map[string]bool) (c count) {
	for _, r := range rows {
		if r.counts() {
			c.apply++
			if held[r.id] {
				c.held++
			}
		}
	}
	return c
}

var quotation = regexp.MustCompile(`\b(conformance|traps): (\d+ of \d+)`)

// checkQuotes returns a line for each count that README.md quotes wrongly, in the
// form in which the report prints it ("conformance: 6 of 8", "traps: 31 of 40").
func checkQuotes(root string, counts map[string]count) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	var wrong []string
	for _, quote := range quotation.FindAllSubmatch(text, -1) {
		name, quoted := string(quote[1]), string(quote[2])
		if is := counts[name].String(); quoted != is {
			wrong = append(wrong, fmt.Sprintf("README.md: it says %q; write %q", name+": "+quoted, name+": "+is))
		}
	}
	return wrong, nil
}
