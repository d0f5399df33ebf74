package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
	"github.com/go-asyncio/asyncio/crawl"
)

// demoCommand has the flags of "asyncio demo".
type demoCommand struct {
	Pages int    `default:"3000" placeholder:"N" help:"How many pages the site has, about (default: ${default})."`
	Out   string `short:"o" placeholder:"FILE" help:"Keep the database in this file (default: a temporary one)."`
	Keep  bool   `help:"Keep the temporary database, and say where it is."`
}

func (c *demoCommand) run(s *streams) int {
	if c.Pages < 1 || c.Pages > 1_000_000 {
		return usageError(s.err, fmt.Errorf("--pages %d: a number from 1 to 1000000 is needed", c.Pages))
	}
	if c.Out == "" {
		dir, err := os.MkdirTemp("", "asyncio-demo-")
		if err != nil {
			s.say(err.Error())
			return exitFailed
		}
		c.Out = filepath.Join(dir, "site.db")
		if !c.Keep {
			defer os.RemoveAll(dir)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.say(err.Error())
		return exitFailed
	}
	server := &http.Server{Handler: newDemoSite(c.Pages)}
	go server.Serve(listener)
	defer server.Close()

	address := "http://" + listener.Addr().String() + "/"
	fmt.Fprintf(s.out, "A book shop of about %d pages is open at %s and takes 30 to 110 ms to answer, at times 8 times that.\n\n", c.Pages, address)
	return c.crawl(s, address)
}

func (c *demoCommand) crawl(s *streams, address string) int {
	cfg := crawl.Config{
		Start: []string{address}, Out: c.Out, Select: []string{"price=b.price"},
		Concurrency: 128, PerHost: 128,
	}
	fmt.Fprintf(s.out, "$ asyncio crawl %s --out %s --select price=b.price --concurrency 128 --per-host 128\n", address, shellQuote(c.Out))
	summary, err := crawlTo(s, cfg, false)
	if errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	if err != nil {
		s.say(strings.TrimPrefix(err.Error(), "crawl: "))
		return exitFailed
	}
	writeSummary(s.out, c.Out, summary)
	if summary.Stopped {
		return exitInterrupted
	}
	if err := showQueries(s.out, c.Out); err != nil {
		s.say(err.Error())
		return exitFailed
	}
	if c.Keep {
		fmt.Fprintf(s.out, "\nThe database is kept: %s\n", c.Out)
	}
	return exitDone
}

// demoQueries show what a crawl is good for.
var demoQueries = []struct {
	question string
	columns  []string
	sql      string
}{
	{"Which links are broken?", []string{"source", "target"}, `SELECT source, target FROM links
WHERE target_status = 404 ORDER BY source LIMIT 5`},
	{"Which books are the dearest?", []string{"title", "price"}, `SELECT title, CAST(value AS REAL) AS price
FROM fields JOIN pages ON pages.id = page
WHERE name = 'price' ORDER BY price DESC LIMIT 5`},
	{"How far from the front page are pages, and how slow?", []string{"depth", "pages", "ms", "kB"}, `SELECT depth, count(*) AS pages, round(avg(duration) * 1000) AS ms, sum(size) / 1000 AS kB
FROM pages WHERE status = 200 GROUP BY depth`},
}

func showQueries(out io.Writer, path string) error {
	return asyncio.Run(context.Background(), func(ctx context.Context) error {
		db, err := sqlite.Open(ctx, path)
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		for _, q := range demoQueries {
			fmt.Fprintf(out, "\n%s\n> %s\n", q.question, strings.ReplaceAll(q.sql, "\n", "\n> "))
			if err := showRows(ctx, out, db, q.columns, q.sql); err != nil {
				return err
			}
		}
		return nil
	})
}

func showRows(ctx context.Context, out io.Writer, db *aiosql.DB, columns []string, query string) error {
	w := newTable(out)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	query = fmt.Sprintf("SELECT json_array(%s) FROM (%s)", strings.Join(columns, ", "), query)
	for row, err := range aiosql.Query[string](ctx, db, query) {
		if err != nil {
			return err
		}
		var values []any
		if err := json.Unmarshal([]byte(row), &values); err != nil {
			return err
		}
		for i, v := range values {
			fmt.Fprint(w, v, []string{"\t", "\n"}[i/(len(values)-1)])
		}
	}
	return w.Flush()
}
