// Command bench measures asyncio beside its peers and writes RESULTS.md, and the table in the repository's README.md.
// README.md says how to run it, what it needs and what makes it fair.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A part is one section of RESULTS.md, which can be run by itself.
type part struct {
	name  string
	title string
	note  string // what is done, and what makes it fair
	rows  func() []row
	runs  int      // of each contender
	once  []string // contenders so far behind that one run is enough
}

var parts = []part{
	spawnPart, yieldPart, handoverPart, syncPart, groupsPart, timeoutsPart, cancelPart, suspendedPart,
	echoPart, acceptPart, idlePart, tlsPart, udpPart, filesPart, processesPart, httpPart, crawlPart,
}

// quick is set for a smoke run: everything once and briefly, nothing written.
var quick bool

// reportOnly is set to write the reports anew, from the results that there are.
var reportOnly bool

func main() {
	flag.BoolVar(&quick, "quick", false, "everything once and briefly, to see that it works; RESULTS.md stays as it is")
	flag.BoolVar(&reportOnly, "report", false, "measure nothing; write RESULTS.md and README.md's table from "+resultsFile)
	flag.Usage = usage
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage() {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	fmt.Fprintf(os.Stderr, "usage: bench/run [-quick | -report] [%s]...\nWithout a part: all of them.\n", strings.Join(names, "|"))
	flag.PrintDefaults()
}

func run(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			usage()
			return fmt.Errorf("no such part: %s", name)
		}
	}
	results, err := loadResults()
	if err != nil {
		return err
	}
	if reportOnly {
		return results.writeReports()
	}
	if err := prepare(); err != nil {
		return err
	}
	for _, p := range parts {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		results[p.name] = p.measure()
		fmt.Println(p.render(results[p.name]))
		if quick {
			continue
		}
		if err := results.save(); err != nil {
			return err
		}
	}
	return nil
}
