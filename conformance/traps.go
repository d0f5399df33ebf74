package main

import (
	_ "embed"
	"fmt"
	"regexp"
)

//go:embed pitfalls.md
var pitfallsMD string

var trapHeading = regexp.MustCompile(`(?m)^\*\*(\d+)\. (.+?)\*\*`)

// loadTraps reads the headings of pitfalls.md, which are numbered from 1 on. A
// trap is a row of its own: a test shows it or does not.
func loadTraps(text string) ([]row, error) {
	var traps []row
	for i, heading := range trapHeading.FindAllStringSubmatch(text, -1) {
		if heading[1] != fmt.Sprint(i+1) {
			return nil, fmt.Errorf("conformance: pitfalls.md: trap %s comes where %d is due", heading[1], i+1)
		}
		traps = append(traps, row{id: "pitfall-" + heading[1], area: "pitfalls", applies: "yes", behaviour: heading[2]})
	}
	return traps, nil
}
