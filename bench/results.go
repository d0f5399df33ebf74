package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const (
	resultsFile = "results.json" // every single run; RESULTS.md is written from it
	reportFile  = "RESULTS.md"
)

// results hold the last run of each part.
type results map[string]partResult

type partResult struct {
	Date     string
	Machine  string
	Versions string
	Runs     int
	Rows     []rowResult
}

type rowResult struct {
	What   string
	Values map[string]map[string][]float64 // by contender and metric, one number a run
}

func (r rowResult) add(contender string, got values) {
	if r.Values[contender] == nil {
		r.Values[contender] = map[string][]float64{}
	}
	for name, value := range got {
		r.Values[contender][name] = append(r.Values[contender][name], value)
	}
}

func loadResults() (results, error) {
	r := results{}
	text, err := os.ReadFile(resultsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w; delete it to begin anew", resultsFile, err)
	}
	return r, nil
}

func (r results) save() error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(resultsFile, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return r.writeReports()
}

func (r results) writeReports() error {
	if err := os.WriteFile(reportFile, []byte(r.report()), 0o644); err != nil {
		return err
	}
	text, err := r.readme()
	if err != nil {
		return err
	}
	return os.WriteFile(readmeFile, []byte(text), 0o644)
}

// report renders the whole of RESULTS.md.
func (r results) report() string {
	var sections strings.Builder
	for _, p := range parts {
		if result, ok := r[p.name]; ok {
			sections.WriteString(p.render(result))
		}
	}
	text := sections.String()
	return fmt.Sprintf(`# asyncio beside its peers

Written by `+"`bench/run`"+`; every single run is in %s. Each number is the median of alternating
runs; in brackets is the ratio of ours to that peer's, the median of the ratios of each round. README.md says what is measured, and what makes it fair.

Targets reached: %d of %d.

%s`, resultsFile, strings.Count(text, reached), strings.Count(text, reached)+strings.Count(text, missed), text)
}

const (
	reached = "**reached**"
	missed  = "**missed**"
)

// render writes the part's section: a table for each group of rows with the same contenders.
func (p part) render(result partResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n`bench/run %s`, %s, medians of %d. %s\n%s\n",
		p.title, p.note, p.name, result.Date, result.Runs, result.Machine, result.Versions)
	columns := ""
	for _, r := range p.rows() {
		values := result.row(r.what)
		if header := r.header(); header != columns {
			columns = header
			b.WriteString("\n" + header)
		}
		for _, m := range r.metrics {
			b.WriteString(r.line(m, values))
		}
	}
	b.WriteString("\n")
	return b.String()
}

func (p partResult) row(what string) rowResult {
	for _, r := range p.Rows {
		if r.What == what {
			return r
		}
	}
	return rowResult{What: what}
}

func (r row) header() string {
	names := make([]string, len(r.contenders))
	for i, c := range r.contenders {
		names[i] = c.name
	}
	return fmt.Sprintf("| what | %s | target |\n|---|%s---|\n", strings.Join(names, " | "), strings.Repeat("--:|", len(names)))
}

func (r row) line(m metric, result rowResult) string {
	cells := []string{r.what + ", " + m.unit}
	ours := r.contenders[0].name
	for i, c := range r.contenders {
		value, ok := result.median(c.name, m.name)
		ratio, compared := result.ratio(ours, c.name, m.name)
		switch {
		case !ok:
			cells = append(cells, "–")
		case i == 0 || !compared:
			cells = append(cells, number(value))
		default:
			cells = append(cells, fmt.Sprintf("%s (%.2f)", number(value), ratio))
		}
	}
	var verdicts []string
	for _, t := range m.targets {
		if t.of == "" {
			verdicts = append(verdicts, t.verdict(ours, m, result))
			continue
		}
		verdicts = append(verdicts, t.of+" "+t.verdict(t.of, m, result))
	}
	return "| " + strings.Join(append(cells, strings.Join(verdicts, "; ")), " | ") + " |\n"
}

func (r rowResult) median(contender, metric string) (float64, bool) {
	numbers := r.Values[contender][metric]
	if len(numbers) == 0 {
		return 0, false
	}
	return median(numbers), true
}

// ratio compares two contenders. Where both have a value of each round, that is the median of the rounds' ratios: a
// spell in which the machine is slow falls on both of a round, but not on all rounds.
func (r rowResult) ratio(of, to, metric string) (float64, bool) {
	a, b := r.Values[of][metric], r.Values[to][metric]
	if len(a) != len(b) {
		a, b = middle(a), middle(b)
	}
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return median(ratios), true
}

// middle is the median, if there is one.
func middle(numbers []float64) []float64 {
	if len(numbers) == 0 {
		return nil
	}
	return []float64{median(numbers)}
}

func (t target) verdict(of string, m metric, result rowResult) string {
	against := ""
	ours, measured := result.median(of, m.name)
	if t.peer != "" {
		ours, measured = result.ratio(of, t.peer, m.name)
		against = " × " + t.peer
	}
	limit := "≤ " + number(t.atMost) + against
	ok := ours <= t.atMost
	if t.atLeast > 0 {
		limit = "≥ " + number(t.atLeast) + against
		ok = ours >= t.atLeast
	}
	switch {
	case !measured:
		return limit + ": not measured"
	case ok:
		return limit + ": " + reached
	}
	return limit + ": " + missed
}

// number prints three significant digits, and whole numbers from a hundred up.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v == float64(int(v)):
		return fmt.Sprint(int(v))
	}
	return fmt.Sprintf("%.3g", v)
}
