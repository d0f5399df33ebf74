//go:build race

package docs

var raceFlag = []string{"-race"}
