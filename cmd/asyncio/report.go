package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/go-asyncio/asyncio/crawl"
)

func progressLine(p crawl.Progress) string {
	return fmt.Sprintf("%s done, %s queued, %.0f pages/s, %s/s, %s, %d in flight, loop lag %v",
		humanize.Comma(int64(p.Done)), humanize.Comma(p.Queued), p.PagesRate, humanize.Bytes(uint64(p.BytesRate)),
		count(p.Errors, "error"), p.InFlight, p.Lag.Round(100*time.Microsecond))
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return humanize.Comma(int64(n)) + " " + what
}

// writeSummary writes what a crawl has done as a table.
func writeSummary(out io.Writer, file string, s crawl.Summary) {
	w := newTable(out)
	row := func(name, value, remark string) { fmt.Fprintf(w, "%s\t%s\t%s\n", name, value, remark) }

	row("pages", humanize.Comma(int64(s.Pages)), rate(float64(s.Pages), s.Wall, "pages/s"))
	for _, status := range slices.Sorted(maps.Keys(s.Status)) {
		name := "no answer"
		if status != 0 {
			name = fmt.Sprintf("%d %s", status, http.StatusText(status))
		}
		row("  "+name, humanize.Comma(int64(s.Status[status])), "")
	}
	if n := total(s.Errors); n > 0 {
		row("errors", humanize.Comma(int64(n)), "")
		for _, kind := range slices.Sorted(maps.Keys(s.Errors)) {
			row("  "+kind, humanize.Comma(int64(s.Errors[kind])), "")
		}
	}
	if s.Retries > 0 {
		row("tried again", humanize.Comma(int64(s.Retries)), "")
	}
	row("links", humanize.Comma(int64(s.Links)), "")
	row("bytes", humanize.Bytes(uint64(s.Bytes)), rate(float64(s.Bytes)/1e6, s.Wall, "MB/s"))
	row("wall time", span(s.Wall), "")
	row("all requests", span(s.Requests), fmt.Sprintf("one by one: %.1f times as long", s.Requests.Seconds()/max(s.Wall.Seconds(), 1e-9)))
	if s.Fetched > s.Pages {
		row("all runs", humanize.Comma(int64(s.Fetched)), "pages")
	}
	if s.Queued > 0 {
		row("queued", humanize.Comma(s.Queued), "not fetched yet")
	}
	row("database", file, "")
	w.Flush()
}

// table aligns columns that are separated by tabs, without space at the ends
// of lines.
type table struct {
	*tabwriter.Writer
	aligned strings.Builder
	out     io.Writer
}

func newTable(out io.Writer) *table {
	t := &table{out: out}
	t.Writer = tabwriter.NewWriter(&t.aligned, 0, 0, 2, ' ', 0)
	return t
}

func (t *table) Flush() error {
	t.Writer.Flush() // a Builder takes everything
	for line := range strings.Lines(t.aligned.String()) {
		if _, err := fmt.Fprintln(t.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func total(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func rate(n float64, d time.Duration, unit string) string {
	return fmt.Sprintf("%s %s", humanize.CommafWithDigits(n/max(d.Seconds(), 1e-9), 1), unit)
}

// span is a duration as people read it: three digits are enough.
func span(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

// writeJSONSummary writes the same as the last line of --json.
func writeJSONSummary(out io.Writer, file string, s crawl.Summary) {
	status := map[string]int{}
	for code, n := range s.Status {
		status[strconv.Itoa(code)] = n
	}
	json.NewEncoder(out).Encode(map[string]any{
		"type": "summary", "database": file,
		"pages": s.Pages, "status": status, "errors": s.Errors, "retries": s.Retries,
		"links": s.Links, "bytes": s.Bytes,
		"wall_seconds": s.Wall.Seconds(), "requests_seconds": s.Requests.Seconds(),
		"pages_all_runs": s.Fetched, "queued": s.Queued, "stopped": s.Stopped, "limited": s.Limited, "left_alone": s.Parked,
	})
}
