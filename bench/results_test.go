package main

import (
	"os"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	if got := median([]float64{9, 1, 5}); got != 5 {
		t.Errorf("of three: %v, want the one in the middle, 5", got)
	}
	if got := median([]float64{4, 1, 2, 100}); got != 3 {
		t.Errorf("of four: %v, want the mean of the two in the middle, 3", got)
	}
}

func TestRender_saysWhichTargetsAreReached(t *testing.T) {
	p := part{name: "p", title: "P", rows: func() []row {
		return []row{{"work", []contender{{name: "asyncio"}, {name: "peer"}, {name: "absent"}}, []metric{
			{"ns", "ns", []target{{peer: "peer", atMost: 0.5}, {peer: "peer", atMost: 0.4}, {peer: "absent", atMost: 1}}},
			{"msg/s", "messages/s", []target{{peer: "peer", atLeast: 1.25}, {atMost: 10}}},
		}}}
	}}
	work := rowResult{What: "work", Values: map[string]map[string][]float64{}}
	for _, ns := range []float64{50, 40, 900} { // one bad run does not matter
		work.add("asyncio", values{"ns": ns, "msg/s": 120})
		work.add("peer", values{"ns": 2 * 50, "msg/s": 100})
	}
	got := p.render(partResult{Rows: []rowResult{work}})
	for _, want := range []string{
		"| work, ns | 50 | 100 (0.50) | – |",
		"≤ 0.5 × peer: **reached**; ≤ 0.4 × peer: **missed**; ≤ 1 × absent: not measured",
		"| work, messages/s | 120 | 100 (1.20) | – | ≥ 1.25 × peer: **missed**; ≤ 10: **missed** |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in:\n%s", want, got)
		}
	}
}

func TestRatio_isThatOfTheRounds(t *testing.T) {
	r := rowResult{Values: map[string]map[string][]float64{}}
	for _, speed := range []float64{10, 1, 100} { // of the machine, in each round
		r.add("asyncio", values{"ns": 2 * speed})
		r.add("peer", values{"ns": speed})
	}
	r.add("once", values{"ns": 5})
	for peer, want := range map[string]float64{"peer": 2, "once": 4} {
		if got, ok := r.ratio("asyncio", peer, "ns"); got != want || !ok {
			t.Errorf("to %s: %v, %v, want %v", peer, got, ok, want)
		}
	}
	if _, ok := r.ratio("asyncio", "absent", "ns"); ok {
		t.Error("there is a ratio to who was not measured")
	}
}

func TestParse(t *testing.T) {
	got, err := parse("ns 57.5\nallocs 1\n")
	if err != nil || got["ns"] != 57.5 || got["allocs"] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "ns\n", "ns fast\n"} {
		if got, err := parse(bad); err == nil {
			t.Errorf("%q was taken for %v", bad, got)
		}
	}
}

func TestReports_areThoseOfTheResults(t *testing.T) {
	r, err := loadResults()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := r.readme()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{reportFile: r.report(), readmeFile: readme} {
		if got, err := os.ReadFile(file); string(got) != want {
			t.Errorf("%s is not what %s says (%v): run bench/run -report", file, resultsFile, err)
		}
	}
}

func TestReadme_withoutAResult_namesIt(t *testing.T) {
	r, err := loadResults()
	if err != nil {
		t.Fatal(err)
	}
	delete(r, "yield")
	if _, err := r.readme(); err == nil || !strings.Contains(err.Error(), "asyncio has no ns") {
		t.Errorf("the error is %v", err)
	}
}
