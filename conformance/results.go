package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// results maps a test ("pkg.TestLock/fair") to its outcome over all runs: fail if it
// failed in one, else pass if it passed in one, else skip.
type results map[string]string

// loadResults reads the output of go test -json. Several runs may be concatenated: what
// one of them has to skip (allocation counts under -race, say), another one shows.
func loadResults(file string) (results, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("conformance: open the test results: %w", err)
	}
	defer f.Close()
	weight := map[string]int{"skip": 1, "pass": 2, "fail": 3}
	outcome := results{}
	for dec := json.NewDecoder(f); ; {
		var event struct{ Action, Package, Test string }
		if err := dec.Decode(&event); errors.Is(err, io.EOF) {
			return outcome, nil
		} else if err != nil {
			return nil, fmt.Errorf("conformance: %s is not the output of go test -json: %w", file, err)
		}
		test := event.Package + "." + event.Test
		if event.Test != "" && weight[event.Action] > weight[outcome[test]] {
			outcome[test] = event.Action
		}
	}
}

// contradict returns a line for each claim whose test did not pass, or whose test
// has a subtest, inside what the claim stands on, that did not.
func (r results) contradict(claims []claim) []string {
	var wrong []string
	for _, c := range claims {
		if c.test == "" {
			continue
		}
		test := c.pkg + "." + c.test
		if r[test] == "" {
			// The subtest's name may have been made unique or nested: hold its test to account.
			name, _, _ := strings.Cut(c.test, "/")
			test = c.pkg + "." + name
		}
		if r[test] == "" {
			wrong = append(wrong, fmt.Sprintf("%s: row %s: %s was not run", c.pos, c.id, c.test))
			continue
		}
		for name, outcome := range r {
			if outcome != "pass" && (name == test || strings.HasPrefix(name, test+"/") || strings.HasPrefix(test, name+"/")) {
				wrong = append(wrong, fmt.Sprintf("%s: row %s: %s: %s", c.pos, c.id, name, outcome))
			}
		}
	}
	return wrong
}
