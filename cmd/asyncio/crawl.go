package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/crawl"
)

// plainInterval is how often a line of progress goes to a log.
const plainInterval = 5 * time.Second

// crawlCommand has the flags of "asyncio crawl". Zero is "not given": the
// crawler has the defaults, or what the crawl that is resumed was begun with.
type crawlCommand struct {
	URL []string `arg:"" optional:"" help:"Where to begin. Links are followed on the hosts of these addresses only."`

	Out    string `short:"o" default:"site.db" placeholder:"FILE" help:"The database (default: ${default})."`
	Resume bool   `help:"Go on with the crawl that the database holds, with its URLs and its depth, patterns, fields, page limits and name, where none are given."`

	Depth    *int     `short:"d" placeholder:"N" help:"Follow links up to N away from the given URLs; 0 fetches those only (default: no limit)."`
	MaxPages int      `short:"n" placeholder:"N" help:"Fetch N pages at most, in all runs together (default: no limit)."`
	Allow    []string `sep:"none" placeholder:"REGEXP" help:"Follow only URLs that match this, or another --allow."`
	Deny     []string `sep:"none" placeholder:"REGEXP" help:"Follow no URL that matches this."`
	Select   []string `short:"s" sep:"none" placeholder:"NAME=CSS[@ATTR]" help:"Keep the text, or an attribute, of the elements that match a CSS selector, as the field NAME: 'price=.offer .price', 'photo=img.main@src'."`

	Concurrency int           `short:"c" placeholder:"N" help:"Requests in flight at most (default: 64)."`
	PerHost     int           `placeholder:"N" help:"Of those, at one host; fewer when it is slow or has errors (default: 8)."`
	Rate        float64       `placeholder:"R" help:"Requests a second at one host at most, such as 0.5 (default: no limit but what robots.txt asks for)."`
	Timeout     time.Duration `placeholder:"D" help:"For one request from its beginning to the end of the page (default: 30s)."`
	Retries     *int          `placeholder:"N" help:"Try a page up to N times more on 429, 5xx and broken connections (default: 3)."`
	MaxSize     byteSize      `placeholder:"SIZE" help:"Read no more of a page than this, such as 500KB (default: 10MiB)."`
	UserAgent   string        `short:"A" placeholder:"S" help:"How the crawler names itself, to servers and to robots.txt (default: ${agent})."`

	JSON bool `help:"Write a JSON object a line to standard output, one for each page and a last one for the whole, in place of the summary."`
}

// Help is the part of the help text under the flags.
func (*crawlCommand) Help() string {
	return `Every URL is fetched once, by the rules of the site's robots.txt, and no faster than the site answers well. What was found is in the tables pages, links and fields of the database; try:

  sqlite3 site.db "SELECT status, count(*) FROM pages GROUP BY status"
  sqlite3 site.db "SELECT source, target FROM links WHERE target_status = 404"

Ctrl-C finishes the requests in flight and stops; a second one stops at once. After either, and after any crash, the same command with --resume goes on.

Exit codes: 0 done, 1 could not start or got no page, 2 wrong usage, 130 interrupted.`
}

func (c *crawlCommand) config() crawl.Config {
	return crawl.Config{
		Start: c.URL, Out: c.Out, Resume: c.Resume,
		Depth: c.Depth, MaxPages: c.MaxPages, Allow: c.Allow, Deny: c.Deny, Select: c.Select,
		Concurrency: c.Concurrency, PerHost: c.PerHost, Rate: c.Rate, Timeout: c.Timeout,
		Retries: c.Retries, LimitBytes: int64(c.MaxSize), UserAgent: c.UserAgent,
	}
}

func (c *crawlCommand) run(s *streams) int {
	cfg := c.config()
	if err := cfg.Check(); err != nil {
		return usageError(s.err, err)
	}
	summary, err := crawlTo(s, cfg, c.JSON)
	switch {
	case errors.Is(err, crawl.ErrConfig):
		return usageError(s.err, err)
	case errors.Is(err, errInterrupted):
		s.say("stopped at once; " + howToResume(c.Out))
		return exitInterrupted
	case err != nil:
		s.say(strings.TrimPrefix(err.Error(), "crawl: "))
		return exitFailed
	}
	if c.JSON {
		writeJSONSummary(s.out, c.Out, summary)
	} else {
		writeSummary(s.out, c.Out, summary)
	}
	return exitCode(s, c.Out, summary)
}

// exitCode says what is to be said after a crawl, and returns its exit code.
func exitCode(s *streams, out string, summary crawl.Summary) int {
	switch {
	case summary.Stopped:
		s.say(fmt.Sprintf("interrupted, with %s pages queued; %s", humanize.Comma(summary.Queued), howToResume(out)))
		return exitInterrupted
	case summary.Found == 0:
		s.say("no page was fetched: " + summary.First)
		return exitFailed
	case summary.Limited:
		s.say(fmt.Sprintf("the page limit is reached, with %s pages queued; %s --max-pages %d", humanize.Comma(summary.Queued), howToResume(out), 2*summary.Fetched))
	case summary.Queued > 0:
		s.say(fmt.Sprintf("%s pages are still queued; %s", humanize.Comma(summary.Queued), howToResume(out)))
	}
	return exitDone
}

func howToResume(out string) string {
	return "to go on: asyncio crawl --resume --out " + shellQuote(out)
}

func shellQuote(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n'\"$&;()<>|*?[]#~=%\\`!{}", r) }) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// errInterrupted is the cause of the second Ctrl-C.
var errInterrupted = errors.New("interrupted")

// crawlTo runs a crawl on a loop of its own and shows how it goes.
func crawlTo(s *streams, cfg crawl.Config, asJSON bool) (summary crawl.Summary, err error) {
	cfg.Log = s.logger(asJSON)
	cfg.Stop = new(asyncio.Event)
	if asJSON {
		lines := json.NewEncoder(s.out)
		cfg.OnPage = func(p crawl.Page) { lines.Encode(pageLine{"page", p, p.Duration.Seconds()}) }
	}
	if s.err.isTerminal {
		cfg.OnProgress = func(p crawl.Progress) { s.err.show(progressLine(p)) }
	} else {
		cfg.ProgressInterval = plainInterval
		cfg.OnProgress = func(p crawl.Progress) { cfg.Log.Info(progressLine(p)) }
	}
	defer s.err.show("")
	err = asyncio.Run(context.Background(), func(ctx context.Context) error {
		ctx, cancel := asyncio.WithCancel(ctx)
		defer onInterrupt(ctx, s, func(count int) {
			if count == 1 {
				s.say("finishing what is in flight; Ctrl-C again stops at once")
				cfg.Stop.Set()
			} else {
				cancel(errInterrupted)
			}
		})()
		summary, err = crawl.Run(ctx, cfg)
		return err
	}, asyncio.WithInterrupt(false), asyncio.WithLogger(cfg.Log), asyncio.WithWatchdog(time.Second))
	return summary, err
}

// pageLine is a page as --json writes it.
type pageLine struct {
	Type string `json:"type"`
	crawl.Page
	Seconds float64 `json:"seconds"`
}

// onInterrupt calls fn on the loop for the first two Ctrl-C; the third one ends
// the process, if that should be needed. The function that it returns ends the
// listening.
func onInterrupt(ctx context.Context, s *streams, fn func(count int)) (stop func()) {
	loop := asyncio.RunningLoop(ctx)
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		count := 0
		for range signals {
			if count++; count > 2 {
				os.Exit(exitInterrupted)
			}
			n := count
			loop.CallSoonThreadsafe(func() { fn(n) })
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// byteSize is a flag's value such as 500KB or 10MiB.
type byteSize int64

func (b *byteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n == 0 || n > 1<<40 {
		return fmt.Errorf("%q is no size; write it like 500KB or 10MiB", text)
	}
	*b = byteSize(n)
	return nil
}
