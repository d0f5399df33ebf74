package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module writes the files of a small module and returns its root.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	if files["go.mod"] == "" {
		write(t, root, "go.mod", "module example.com/m\n")
	}
	for name, text := range files {
		write(t, root, name, text)
	}
	return root
}

func write(t *testing.T, root, name, text string) string {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// table stands in for behaviours.csv.
const table = `id,area,applies,behaviour,note,source
loop-01,loop,no,Python only.,Python base class,
loop-02,loop,yes,Closes.,,
lock-01,lock,yes,One.,,
lock-02,lock,adapted,Two.,,
lock-03,lock,changed,Three.,level-triggered,
lock-04,lock,yes,Four.,,
lock-05,lock,yes,Five.,,
lock-06,lock,yes,Six.,,
lock-07,lock,yes,Seven.,how in Go,
`

// traps stands in for pitfalls.md.
const traps = `# Traps

**1. Lost wake-up.** A waiter that was woken. **CHANGED** in part.  
*Go:* wake the next

**2. Fairness.** In **order**.
`

const lockTest = `package lock

import "testing"

// TestLock shows two rows.
//
// conformance: lock-01 lock-02
func TestLock(t *testing.T) {
	// conformance: lock-03
	t.Run("is fair", func(t *testing.T) {})
	t.Run("wakes one", func(t *testing.T) {}) // conformance: lock-04, lock-05
	for _, name := range []string{"a"} {
		// pitfall: 2
		t.Run(name, func(t *testing.T) {}) // conformance: lock-06
	}
}
`

func TestFindClaims_commentsOnTestsAndSubtests_nameTheirTest(t *testing.T) {
	claims, err := findClaims(module(t, map[string]string{"sub/lock_test.go": lockTest}))
	if err != nil {
		t.Fatal(err)
	}
	want := []claim{
		{"lock-01", "sub/lock_test.go:7", "example.com/m/sub", "TestLock"},
		{"lock-02", "sub/lock_test.go:7", "example.com/m/sub", "TestLock"},
		{"lock-03", "sub/lock_test.go:9", "example.com/m/sub", "TestLock/is_fair"},
		{"lock-04", "sub/lock_test.go:11", "example.com/m/sub", "TestLock/wakes_one"},
		{"lock-05", "sub/lock_test.go:11", "example.com/m/sub", "TestLock/wakes_one"},
		{"pitfall-2", "sub/lock_test.go:13", "example.com/m/sub", "TestLock"},
		{"lock-06", "sub/lock_test.go:14", "example.com/m/sub", "TestLock"},
	}
	if !slices.Equal(claims, want) {
		t.Errorf("claims = %v\nwant     %v", claims, want)
	}
}

func TestFindClaims_filesOutsideOfTheModuleAndStrings_areNotRead(t *testing.T) {
	claims, err := findClaims(module(t, map[string]string{
		"testdata/lock_test.go": lockTest,
		".hidden/lock_test.go":  lockTest,
		"bench/go.mod":          "module example.com/m/bench\n",
		"bench/lock_test.go":    lockTest,
		"lock.go":               lockTest,
		"text_test.go":          "package m\n\nconst s = `\n// conformance: lock-01\n`\n",
	}))
	if err != nil || len(claims) != 0 {
		t.Errorf("findClaims() = %v, %v, want nothing", claims, err)
	}
}

func TestRun_wrongClaims_areListedWithTheirPlace(t *testing.T) {
	for name, tc := range map[string]struct{ source, want string }{
		"unknown row":          {"// conformance: lock-99\nfunc TestX(t *testing.T) {}", `a_test.go:5: there is no row "lock-99"`},
		"row that is no":       {"// conformance: loop-01\nfunc TestX(t *testing.T) {}", "a_test.go:5: row loop-01 does not apply (Python base class)"},
		"unknown trap":         {"// pitfall: 1 3\nfunc TestX(t *testing.T) {}", `a_test.go:5: there is no row "pitfall-3"`},
		"a trap and a helper":  {"// pitfall: 1\nfunc helper(t *testing.T) {}", "a_test.go:5: row pitfall-1 is named outside of a Test"},
		"helper, not a test":   {"// conformance: lock-01\nfunc helper(t *testing.T) {}", "a_test.go:5: row lock-01 is named outside of a Test"},
		"outside of functions": {"var _ testing.TB\n// conformance: lock-01", "a_test.go:6: row lock-01 is named outside of a Test"},
	} {
		t.Run(name, func(t *testing.T) {
			root := module(t, map[string]string{"a_test.go": "package m\n\nimport \"testing\"\n\n" + tc.source + "\n"})
			err := run(&strings.Builder{}, table, traps, root, "", false)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("run() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRun_report_countsPerAreaAndInAll(t *testing.T) {
	var out strings.Builder
	if err := run(&out, table, traps, module(t, map[string]string{"sub/lock_test.go": lockTest}), "", true); err != nil {
		t.Fatal(err)
	}
	want := `  area  apply  held  not held
  loop      1     0         1
  lock      7     6         1

not held:
  loop-02 (yes): Closes.
  lock-07 (yes): Seven.
      in Go: how in Go
  pitfall-1 (yes): Lost wake-up.
traps: 1 of 2 shown by a test
conformance: 6 of 8 behaviours held by a test (75.0 %)
`
	if out.String() != want {
		t.Errorf("the report is:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestRun_countsQuotedInREADME_mustBeTrue(t *testing.T) {
	for name, tc := range map[string]struct{ readme, want string }{
		"none":           {"The program counts.", ""},
		"right":          {"Now (`conformance: 6 of 8 behaviours`, traps: 1 of 2).", ""},
		"wrong rows":     {"conformance: 60 of 8", `README.md: it says "conformance: 60 of 8"; write "conformance: 6 of 8"`},
		"wrong traps":    {"traps: 2 of 2", `README.md: it says "traps: 2 of 2"; write "traps: 1 of 2"`},
		"one of several": {"conformance: 6 of 8\n\nconformance: 6 of 9", `"conformance: 6 of 9"`},
	} {
		t.Run(name, func(t *testing.T) {
			root := module(t, map[string]string{"sub/lock_test.go": lockTest, "README.md": tc.readme})
			err := run(&strings.Builder{}, table, traps, root, "", false)
			if tc.want == "" && err != nil {
				t.Errorf("run() = %v, want nil", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("run() = %v, want %q", err, tc.want)
			}
		})
	}
}

// The project itself: its claims are right, and so are the counts in its README.
func TestRun_theProjectsOwnTests_claimWhatTheREADMEQuotes(t *testing.T) {
	var out strings.Builder
	if err := run(&out, behavioursCSV, pitfallsMD, "..", "", false); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), " of 40 shown by a test") {
		t.Errorf("pitfalls.md has not forty traps, but the report says:\n%s", out.String())
	}
}

func TestRun_results_decideWhetherAClaimHolds(t *testing.T) {
	const (
		passed  = `{"Action":"pass","Package":"example.com/m/sub","Test":"TestLock"}` + "\n"
		subtest = `{"Action":"pass","Package":"example.com/m/sub","Test":"TestLock/is_fair"}` + "\n"
		skipped = `{"Action":"skip","Package":"example.com/m/sub","Test":"TestLock/is_fair"}` + "\n"
		failed  = `{"Action":"fail","Package":"example.com/m/sub","Test":"TestLock"}` + "\n"
		trap    = `{"Action":"skip","Package":"example.com/m/sub","Test":"TestLock"}` + "\n"
		other   = `{"Action":"skip","Package":"example.com/m/sub","Test":"TestLockOther"}` + "\n"
	)
	for name, tc := range map[string]struct{ results, want string }{
		"passed":                     {passed + subtest + other, ""},
		"a subtest skipped":          {passed + skipped, "row lock-03: example.com/m/sub.TestLock/is_fair: skip"},
		"skipped in one of two runs": {passed + skipped + passed + subtest, ""},
		"failed in one of two runs":  {failed + passed + subtest, "TestLock: fail"},
		"a trap's test skipped":      {trap, "row pitfall-2: example.com/m/sub.TestLock: skip"},
		"failed":                     {failed, "row lock-01: example.com/m/sub.TestLock: fail"},
		"not run":                    {other, "row lock-01: TestLock was not run"},
		"not JSON":                   {"ok example.com/m", "is not the output of go test -json"},
	} {
		t.Run(name, func(t *testing.T) {
			root := module(t, map[string]string{"sub/lock_test.go": lockTest})
			err := run(&strings.Builder{}, table, traps, root, write(t, root, "results.json", tc.results), false)
			if tc.want == "" && err != nil {
				t.Errorf("run() = %v, want nil", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("run() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestLoadRows_contradictoryTables_areRefused(t *testing.T) {
	const header = "id,area,applies,behaviour,note,source\n"
	for name, table := range map[string]string{
		"other columns":     "id,area\n",
		"same id twice":     header + "a-1,a,yes,x,,\na-1,a,yes,y,,\n",
		"unknown applies":   header + "a-1,a,maybe,x,,\n",
		"no without reason": header + "a-1,a,no,x,,\n",
		"not CSV":           header + "\"a-1,a,no\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := loadRows(strings.NewReader(table)); err == nil {
				t.Error("loadRows() = nil, want an error")
			}
		})
	}
}

func TestLoadTraps_aNumberMissing_isRefused(t *testing.T) {
	if _, err := loadTraps("**1. One.** x\n\n**3. Three.** x\n"); err == nil {
		t.Error("loadTraps() = nil, want an error")
	}
}
