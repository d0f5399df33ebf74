package main

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
)

//go:embed behaviours.csv
var behavioursCSV string

// row is one behaviour of asyncio.
type row struct {
	id, area  string
	applies   string // yes, adapted, changed or no
	behaviour string
	note      string // how it reads in Go, or why it does not apply
}

// counts reports whether a test should hold the row.
func (r row) counts() bool { return r.applies != "no" }

// loadRows reads behaviours.csv and refuses a table that contradicts itself.
func loadRows(in io.Reader) ([]row, error) {
	records, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("conformance: read behaviours.csv: %w", err)
	}
	header := []string{"id", "area", "applies", "behaviour", "note", "source"}
	if len(records) == 0 || !slices.Equal(records[0], header) {
		return nil, fmt.Errorf("conformance: behaviours.csv must start with the columns %v", header)
	}
	var rows []row
	seen := map[string]bool{}
	for i, rec := range records[1:] {
		r := row{id: rec[0], area: rec[1], applies: rec[2], behaviour: rec[3], note: rec[4]}
		switch {
		case seen[r.id]:
			return nil, fmt.Errorf("conformance: behaviours.csv row %d: %s is there twice", i+2, r.id)
		case !slices.Contains([]string{"yes", "adapted", "changed", "no"}, r.applies):
			return nil, fmt.Errorf("conformance: behaviours.csv row %d (%s): applies is %q, want yes, adapted, changed or no", i+2, r.id, r.applies)
		case (r.applies == "no" || r.applies == "changed") && r.note == "":
			return nil, fmt.Errorf("conformance: behaviours.csv row %d (%s): %q needs its reason in the note", i+2, r.id, r.applies)
		}
		seen[r.id] = true
		rows = append(rows, r)
	}
	return rows, nil
}
