// Command conformance counts which of asyncio's behaviours our tests hold.
//
//	go run ./conformance            # a line per area, and a total
//	go run ./conformance -v         # and every row and trap that no test holds yet
//	go run ./conformance -results r # r: output of go test -json; every naming test must have passed
//
// behaviours.csv lists what asyncio's users rely on, one row each. A test holds a
// row when it shows that behaviour and names the row in a comment, on the test
// function or inside it on the line of a subtest or just above:
//
//	// conformance: lock-03 lock-04
//	// pitfall: 22
//	func TestLock_wokenWaiterCancelled_passesTheLockOn(t *testing.T) { ... }
//
// pitfalls.md lists forty traps. A test shows one when it fails as soon as the
// library walks into it, and names it in the same way.
//
// The program reads the test files as source; it fails when a comment names a row
// or trap that does not exist or a row that is marked "no", when a comment stands
// outside of a test, when README.md quotes another count than the last lines of the
// report ("conformance: 6 of 8"), and, with -results, when a test that names a row
// was skipped, failed or not run. A row is marked "no" or "changed" only where Go or
// our model makes it moot, with the reason in its note.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	verbose := flag.Bool("v", false, "list the rows and traps that no test holds")
	root := flag.String("root", ".", "the module's root `directory`")
	resultsFile := flag.String("results", "", "output of go test -json, a `file`: every test that names a row must have passed in it")
	flag.Parse()
	if err := run(os.Stdout, behavioursCSV, pitfallsMD, *root, *resultsFile, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints how many rows of the table, and of the traps, the tests under root hold. Its
// error lists every claim that is wrong, a line each.
func run(out io.Writer, table, pitfalls, root, resultsFile string, verbose bool) error {
	rows, err := loadRows(strings.NewReader(table))
	if err != nil {
		return err
	}
	traps, err := loadTraps(pitfalls)
	if err != nil {
		return err
	}
	claims, err := findClaims(root)
	if err != nil {
		return err
	}
	held, wrong := check(slices.Concat(rows, traps), claims)
	if resultsFile != "" {
		results, err := loadResults(resultsFile)
		if err != nil {
			return err
		}
		wrong = append(wrong, results.contradict(claims)...)
	}
	inAll := map[string]count{"conformance": countHeld(rows, held), "traps": countHeld(traps, held)}
	quotes, err := checkQuotes(root, inAll)
	if err != nil {
		return err
	}
	wrong = append(wrong, quotes...)
	reportAreas(out, rows, held)
	if verbose {
		reportMissing(out, slices.Concat(rows, traps), held)
	}
	c := inAll["conformance"]
	fmt.Fprintf(out, "traps: %v shown by a test\n", inAll["traps"])
	fmt.Fprintf(out, "conformance: %v behaviours held by a test (%.1f %%)\n", c, 100*float64(c.held)/float64(max(c.apply, 1)))
	if len(wrong) > 0 {
		return fmt.Errorf("conformance: %d wrong claims:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	return nil
}

// check returns the ids that are claimed rightly, and a line for each claim that is not.
func check(rows []row, claims []claim) (held map[string]bool, wrong []string) {
	byID := map[string]row{}
	for _, r := range rows {
		byID[r.id] = r
	}
	held = map[string]bool{}
	for _, c := range claims {
		r, known := byID[c.id]
		switch {
		case !known:
			wrong = append(wrong, fmt.Sprintf("%s: there is no row %q in behaviours.csv or pitfalls.md", c.pos, c.id))
		case !r.counts():
			wrong = append(wrong, fmt.Sprintf("%s: row %s does not apply (%s)", c.pos, c.id, r.note))
		case c.test == "":
			wrong = append(wrong, fmt.Sprintf("%s: row %s is named outside of a Test, Fuzz or Example function", c.pos, c.id))
		default:
			held[c.id] = true
		}
	}
	return held, wrong
}

// reportAreas prints a line per area, in the order of the rows.
func reportAreas(out io.Writer, rows []row, held map[string]bool) {
	byArea := map[string][]row{}
	var areas []string
	for _, r := range rows {
		if r.counts() && !slices.Contains(areas, r.area) {
			areas = append(areas, r.area)
		}
		byArea[r.area] = append(byArea[r.area], r)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "area\tapply\theld\tnot held\t")
	for _, area := range areas {
		c := countHeld(byArea[area], held)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", area, c.apply, c.held, c.apply-c.held)
	}
	table.Flush()
}

// reportMissing lists the rows that no test holds.
func reportMissing(out io.Writer, rows []row, held map[string]bool) {
	fmt.Fprintln(out, "\nnot held:")
	for _, r := range rows {
		if !r.counts() || held[r.id] {
			continue
		}
		fmt.Fprintf(out, "  %s (%s): %s\n", r.id, r.applies, r.behaviour)
		if r.note != "" {
			fmt.Fprintf(out, "      in Go: %s\n", r.note)
		}
	}
}
