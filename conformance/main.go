// Command conformance counts which of asyncio's behaviours our tests hold.
//
//	go run ./conformance            # a line per area, and a total
//	go run ./conformance -v         # and every row that no test holds yet
//	go run ./conformance -results r # r: output of go test -json; every naming test must have passed
//
// behaviours.csv lists what asyncio's users rely on, one row each. A test holds a
// row when it shows that behaviour and names the row in a comment, on the test
// function or inside it on the line of a subtest or just above:
//
//	// conformance: lock-03 lock-04
//	func TestLock_wokenWaiterCancelled_passesTheLockOn(t *testing.T) { ... }
//
// The program reads the test files as source; it fails when a comment names a row
// that does not exist or that is marked "no", when a comment stands outside of a
// test, and, with -results, when a test that names a row was skipped, failed or not
// run. A row is marked "no" or "changed" only where Go or our model makes it moot,
// with the reason in its note.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

func main() {
	verbose := flag.Bool("v", false, "list the rows that no test holds")
	root := flag.String("root", ".", "the module's root `directory`")
	resultsFile := flag.String("results", "", "output of go test -json, a `file`: every test that names a row must have passed in it")
	flag.Parse()
	if err := run(os.Stdout, behavioursCSV, *root, *resultsFile, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints how many rows of the table the tests under root hold. Its error lists every
// claim that is wrong, a line each.
func run(out io.Writer, table, root, resultsFile string, verbose bool) error {
	rows, err := loadRows(strings.NewReader(table))
	if err != nil {
		return err
	}
	claims, err := findClaims(root)
	if err != nil {
		return err
	}
	held, wrong := check(rows, claims)
	if resultsFile != "" {
		results, err := loadResults(resultsFile)
		if err != nil {
			return err
		}
		wrong = append(wrong, results.contradict(claims)...)
	}
	report(out, rows, held, verbose)
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
			wrong = append(wrong, fmt.Sprintf("%s: there is no row %q in behaviours.csv", c.pos, c.id))
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

// report prints a line per area in the order of the rows, and the total.
func report(out io.Writer, rows []row, held map[string]bool, verbose bool) {
	type count struct{ apply, held int }
	counts := map[string]*count{}
	var areas []string
	var missing []row
	var total count
	for _, r := range rows {
		if !r.counts() {
			continue
		}
		c := counts[r.area]
		if c == nil {
			c = &count{}
			counts[r.area] = c
			areas = append(areas, r.area)
		}
		c.apply++
		total.apply++
		if held[r.id] {
			c.held++
			total.held++
		} else {
			missing = append(missing, r)
		}
	}

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "area\tapply\theld\tnot held\t")
	for _, area := range areas {
		c := counts[area]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", area, c.apply, c.held, c.apply-c.held)
	}
	table.Flush()
	if verbose {
		fmt.Fprintln(out, "\nnot held:")
		for _, r := range missing {
			fmt.Fprintf(out, "  %s (%s): %s\n", r.id, r.applies, r.behaviour)
			if r.note != "" {
				fmt.Fprintf(out, "      in Go: %s\n", r.note)
			}
		}
	}
	fmt.Fprintf(out, "total: %d of %d rows that apply are held (%.1f %%)\n",
		total.held, total.apply, 100*float64(total.held)/float64(max(total.apply, 1)))
}
