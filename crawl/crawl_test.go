package crawl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/crawl"
)

// site is a web site on loopback that notes what it is asked for.
type site struct {
	*httptest.Server
	t     *testing.T
	mu    sync.Mutex
	asked []string
}

// newSite serves pages, HTML by path. What has no page is for other, if that is
// not nil, or else is not there.
func newSite(t *testing.T, pages map[string]string, other http.HandlerFunc) *site {
	s := &site{t: t}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI())
		s.mu.Unlock()
		page, ok := pages[r.URL.RequestURI()]
		switch {
		case ok && r.URL.Path == "/robots.txt":
			io.WriteString(w, page)
		case ok:
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, page)
		case other != nil:
			other(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// requests returns what was asked for, robots.txt left out, in order.
func (s *site) requests() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range s.asked {
		if path != "/robots.txt" {
			paths = append(paths, path)
		}
	}
	return paths
}

// config is for a quiet crawl of the site into a new file.
func (s *site) config() crawl.Config {
	return crawl.Config{
		Start:   []string{s.URL},
		Out:     filepath.Join(s.t.TempDir(), "site.db"),
		Log:     slog.New(slog.DiscardHandler),
		Timeout: 10 * time.Second,
	}
}

// run crawls, on a loop of its own.
func run(t *testing.T, cfg crawl.Config) crawl.Summary {
	t.Helper()
	summary, err := tryRun(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

func tryRun(cfg crawl.Config) (summary crawl.Summary, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // against hanging
	defer cancel()
	err = asyncio.Run(ctx, func(ctx context.Context) error {
		summary, err = crawl.Run(ctx, cfg)
		return err
	}, asyncio.WithInterrupt(false))
	return summary, err
}

// query returns a query's rows, one a line, with | between columns and the
// site's address left out.
func (s *site) query(file, query string) string {
	s.t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var lines []string
	for rows.Next() {
		values, to := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			s.t.Fatal(err)
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = strings.ReplaceAll(v.String, s.URL, "")
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// pages are the paths of the pages in a database, in alphabetical order.
func (s *site) pages(file string) []string {
	s.t.Helper()
	return strings.Fields(s.query(file, "SELECT url FROM pages ORDER BY url"))
}

func TestRun_simpleSite_allOfItIsInTheDatabase(t *testing.T) {
	s := newSite(t, map[string]string{
		"/":       `<title>Front &amp; more</title><a href="a.html#x">a</a> <a href="/dir/">dir</a> <a href="http://elsewhere.invalid/">out</a>`,
		"/a.html": `<title>A</title><p class=price>9</p><p class=price>10</p><img src=i.png><a href="/">home</a> <a rel=nofollow href="/secret">s</a>`,
		"/dir/":   `<base href="/base/"><a href="b.html">b</a>`,
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/b.html" {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "hello, <a href=/no>no link</a>")
			return
		}
		http.NotFound(w, r)
	})
	cfg := s.config()
	cfg.Select = []string{"price=.price", "image=img@src"}
	summary := run(t, cfg)

	const want = `|0||Front & more|200|text/html
a.html|1|/|A|200|text/html
base/b.html|2|/dir/||200|text/plain
dir/|1|/||200|text/html`
	got := s.query(cfg.Out, "SELECT substr(url, 1 + instr(substr(url, 9), '/') + 8), depth, referrer, title, status, content_type FROM pages ORDER BY url")
	if got != want {
		t.Errorf("pages:\n%s\nwant\n%s", got, want)
	}
	text := "hello, <a href=/no>no link</a>"
	if got := s.query(cfg.Out, "SELECT size, hash FROM pages WHERE url LIKE '%b.html'"); got != fmt.Sprintf("%d|%x", len(text), sha256.Sum256([]byte(text))) {
		t.Errorf("size and hash: %s", got)
	}
	if got := s.query(cfg.Out, "SELECT name, position, value FROM fields ORDER BY name, position"); got != "image|0|/i.png\nprice|0|9\nprice|1|10" {
		t.Errorf("fields:\n%s", got)
	}
	if got := s.query(cfg.Out, "SELECT target, kind, target_status FROM links WHERE source LIKE '%/a.html' ORDER BY target"); got != "/|link|200\n/secret|nofollow|" {
		t.Errorf("links of /a.html:\n%s", got)
	}
	if paths := s.requests(); len(paths) != 4 {
		t.Errorf("requests: %q", paths)
	}
	if summary.Pages != 4 || summary.Found != 4 || summary.Status[200] != 4 || summary.Queued != 0 || summary.Links != 6 || len(summary.Errors) != 0 {
		t.Errorf("summary: %+v", summary)
	}
}

func TestRun_everyAddressIsFetchedOnce_whateverItsSpelling(t *testing.T) {
	s := newSite(t, map[string]string{"/robots.txt": ""}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for i := range 40 {
			fmt.Fprintf(w, `<a href="/p%d"><a href="/x/../p%d#f"><a href="/%%70%d">`, i, i, i)
		}
	})
	cfg := s.config()
	run(t, cfg)
	paths := s.requests()
	slices.Sort(paths)
	if len(paths) != 41 || len(slices.Compact(paths)) != 41 {
		t.Errorf("%d requests, %d different ones; want 41", len(s.requests()), len(slices.Compact(paths)))
	}
}

func TestRun_robotsTxt(t *testing.T) {
	page := map[string]string{"/": `<a href=/open><a href=/closed/x>`, "/open": ""}
	for name, c := range map[string]struct {
		robots http.HandlerFunc
		want   string // paths asked for
	}{
		"rules": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "User-agent: *\nDisallow: /closed\n")
		}, "/ /open"},
		"rules for us": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "User-agent: *\nDisallow:\n\nUser-agent: testbot\nDisallow: /open\n")
		}, "/ /closed/x"},
		"not there":  {http.NotFound, "/ /closed/x /open"},
		"forbidden":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "/ /closed/x /open"},
		"redirected": {http.RedirectHandler("/rules.txt", http.StatusFound).ServeHTTP, "/ /open"},
		"broken":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, ""},
		"an endless redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/robots.txt?"+r.URL.RawQuery+"x", http.StatusFound)
		}, "/ /closed/x /open"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, page, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/robots.txt":
					c.robots(w, r)
				case "/rules.txt":
					io.WriteString(w, "User-agent: *\nDisallow: /closed\n")
				default:
					http.NotFound(w, r)
				}
			})
			cfg := s.config()
			cfg.UserAgent = "TestBot/1.0"
			cfg.Retries = new(0)
			summary := run(t, cfg)
			var paths []string
			for _, p := range s.requests() {
				if !strings.HasPrefix(p, "/r") {
					paths = append(paths, p)
				}
			}
			slices.Sort(paths)
			if got := strings.Join(paths, " "); got != c.want {
				t.Errorf("asked for %s, want %s", got, c.want)
			}
			if name == "rules" && summary.Errors["robots"] != 1 {
				t.Errorf("errors: %v", summary.Errors)
			}
			if name == "broken" && (len(summary.Parked) != 1 || summary.Found != 0) {
				t.Errorf("left alone: %v", summary.Parked)
			}
		})
	}
}

func TestRun_crawlDelayAndRate_spaceRequests(t *testing.T) {
	for name, c := range map[string]struct {
		robots string
		rate   float64
	}{
		"crawl-delay": {"User-agent: *\nCrawl-delay: 0.05", 0},
		"rate":        {"", 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, map[string]string{"/robots.txt": c.robots, "/": `<a href=1><a href=2><a href=3><a href=4>`}, nil)
			cfg := s.config()
			cfg.Rate = c.rate
			var times []time.Time
			cfg.OnPage = func(p crawl.Page) { times = append(times, p.Time) }
			start := time.Now()
			run(t, cfg)
			slices.SortFunc(times, time.Time.Compare)
			if len(times) != 5 {
				t.Fatalf("%d requests", len(times))
			}
			for i, at := range times { // not the gaps: a busy machine notes a time late
				if least := time.Duration(i)*50*time.Millisecond - time.Millisecond; at.Sub(start) < least {
					t.Errorf("request %d came after %v, want at least %v", i, at.Sub(start), least)
				}
			}
		})
	}
}

func TestRun_redirects(t *testing.T) {
	s := newSite(t, map[string]string{"/": `<a href=/once><a href=/loop><a href=/chain?0><a href=/self><a href=/away><a href=/nowhere>`, "/target": ""},
		func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/once":
				http.Redirect(w, r, "/target#part", http.StatusMovedPermanently)
			case "/loop":
				http.Redirect(w, r, "/loop2", http.StatusFound)
			case "/loop2":
				http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
			case "/chain":
				n, _ := strconv.Atoi(r.URL.RawQuery)
				http.Redirect(w, r, fmt.Sprintf("/chain?%d", n+1), http.StatusSeeOther)
			case "/self":
				http.Redirect(w, r, "/self", http.StatusPermanentRedirect)
			case "/away":
				http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusMovedPermanently)
			case "/nowhere":
				w.WriteHeader(301)
			default:
				http.NotFound(w, r)
			}
		})
	cfg := s.config()
	summary := run(t, cfg)
	if got := s.query(cfg.Out, "SELECT url, status, depth, location FROM pages WHERE url LIKE '%/once' OR url LIKE '%/target' ORDER BY 1"); got != "/once|301|1|/target\n/target|200|1|" {
		t.Errorf("pages:\n%s", got)
	}
	if got := s.query(cfg.Out, "SELECT count(*), max(error) FROM pages WHERE url LIKE '%/chain%'"); got != "11|redirects: more than 10 in a row" {
		t.Errorf("the endless chain: %s", got)
	}
	if summary.Pages != 1+2+2+11+1+1+1 {
		t.Errorf("%d pages: %q", summary.Pages, s.pages(cfg.Out))
	}
}

func TestRun_startPageThatHasMoved_isFollowedToItsHost(t *testing.T) {
	s := newSite(t, map[string]string{"/": `<a href=/a>`, "/a": ""}, nil)
	old := httptest.NewServer(http.RedirectHandler(s.URL+"/", http.StatusMovedPermanently))
	defer old.Close()
	cfg := s.config()
	cfg.Start = []string{old.URL}
	if summary := run(t, cfg); summary.Status[200] != 2 {
		t.Errorf("status: %v", summary.Status)
	}
}

func TestRun_encodings(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, `<title>zipped</title><a href=/latin1>`)
	z.Close()
	s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped.Bytes())
		case "/latin1":
			w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
			io.WriteString(w, "<title>caf\xe9</title><a href=/sniffed>")
		case "/sniffed":
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "<!doctype html><title>sniffed</title>")
		default:
			http.NotFound(w, r)
		}
	})
	cfg := s.config()
	run(t, cfg)
	if got := s.query(cfg.Out, "SELECT title FROM pages ORDER BY id"); got != "zipped\ncaf\u00e9\nsniffed" {
		t.Errorf("titles: %s", got)
	}
}

func TestRun_allowAndDeny(t *testing.T) {
	s := newSite(t, map[string]string{"/": `<a href=/doc/a><a href=/doc/b.pdf><a href=/other>`, "/doc/a": `<a href=/doc/c>`}, nil)
	cfg := s.config()
	cfg.Allow, cfg.Deny = []string{`/doc/`}, []string{`\.pdf$`}
	run(t, cfg)
	if got := s.pages(cfg.Out); !slices.Equal(got, []string{"/", "/doc/a", "/doc/c"}) {
		t.Errorf("pages: %q", got)
	}
}

// endless is a site whose every page links to two more.
func endless(t *testing.T) *site {
	return newSite(t, map[string]string{"/robots.txt": ""}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		path := strings.TrimSuffix(r.URL.Path, "/")
		fmt.Fprintf(w, "<a href=%s/0>x</a><a href=%s/1>x</a>", path, path)
	})
}

func TestRun_depth_isLinksAwayFromTheStart(t *testing.T) {
	for depth, want := range []int{1, 3, 7, 15} {
		s := endless(t)
		cfg := s.config()
		cfg.Depth = new(depth)
		if run(t, cfg); len(s.requests()) != want {
			t.Errorf("depth %d: %d requests, want %d", depth, len(s.requests()), want)
		}
	}
}

func TestRun_maxPages_isNeverPassed(t *testing.T) {
	s := endless(t)
	cfg := s.config()
	cfg.MaxPages = 100
	summary := run(t, cfg)
	if len(s.requests()) != 100 || summary.Pages != 100 || summary.Fetched != 100 {
		t.Errorf("%d requests, %d pages, %d in the database; want 100", len(s.requests()), summary.Pages, summary.Fetched)
	}
	if summary.Queued == 0 {
		t.Error("nothing is left, of an endless site")
	}
	cfg.Resume, cfg.Start, cfg.MaxPages = true, nil, 150
	if run(t, cfg); len(s.requests()) != 150 {
		t.Errorf("%d requests after resuming up to 150", len(s.requests()))
	}
}

func TestRun_retries(t *testing.T) {
	var mu sync.Mutex
	tries := map[string]int{}
	s := newSite(t, map[string]string{"/": `<a href=/busy><a href=/down><a href=/broken><a href=/reset><a href=/short>`}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tries[r.URL.Path]++
		first := tries[r.URL.Path] == 1
		mu.Unlock()
		switch {
		case r.URL.Path == "/robots.txt":
		case r.URL.Path == "/broken":
			w.WriteHeader(500)
		case !first:
			io.WriteString(w, "ok")
		case r.URL.Path == "/busy":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		case r.URL.Path == "/down":
			w.Header().Set("Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		case r.URL.Path == "/reset":
			nc, _, _ := w.(http.Hijacker).Hijack()
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		case r.URL.Path == "/short":
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "not that much")
		}
	})
	cfg := s.config()
	cfg.Retries = new(1)
	summary := run(t, cfg)
	if got := s.query(cfg.Out, "SELECT url, status, error FROM pages ORDER BY url"); got != "/|200|\n/broken|500|\n/busy|200|\n/down|200|\n/reset|200|\n/short|200|" {
		t.Errorf("pages:\n%s", got)
	}
	for path, n := range tries {
		if path != "/robots.txt" && n != 2 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
	if summary.Retries < 4 || // a connection that is reset while reused is tried again at once
		summary.Status[200] != 5 || summary.Wall < time.Second {
		t.Errorf("summary: %+v", summary)
	}
}

func TestRun_longRetryAfter_leavesTheOriginForAnotherRun(t *testing.T) {
	var busy atomic.Bool
	busy.Store(true)
	s := newSite(t, map[string]string{"/": `<a href=/a><a href=/b>`}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/robots.txt" && busy.Load() {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(503)
		}
	})
	cfg := s.config()
	cfg.PerHost = 1
	summary := run(t, cfg)
	if summary.Pages != 1 || summary.Queued != 2 || !strings.Contains(summary.Parked[s.URL], "24h") {
		t.Errorf("summary: %+v", summary)
	}
	busy.Store(false)
	cfg.Resume = true
	if summary := run(t, cfg); summary.Pages != 2 || summary.Queued != 0 {
		t.Errorf("when resumed: %+v", summary)
	}
}

func TestRun_originThatIsDown_isLeftAloneAndLosesNoPages(t *testing.T) {
	var links strings.Builder
	for i := range 30 {
		fmt.Fprintf(&links, "<a href=/%d>", i)
	}
	s := newSite(t, map[string]string{"/": links.String(), "/robots.txt": ""}, func(w http.ResponseWriter, r *http.Request) {
		nc, _, _ := w.(http.Hijacker).Hijack()
		nc.Close()
	})
	cfg := s.config()
	cfg.Retries = new(0)
	cfg.PerHost = 1
	summary := run(t, cfg)
	if summary.Status[0] != 10 || summary.Queued != 20 || len(summary.Parked) != 1 {
		t.Errorf("summary: %+v", summary)
	}
}

func TestRun_badPages_areErrorsInTheDatabaseAndNothingElse(t *testing.T) {
	s := newSite(t, map[string]string{"/": `<a href=/slow><a href=/huge><a href=/longfile><a href=/drip><a href=/garbage><a href=/badzip><a href=/badtype><a href=/204>`, "/robots.txt": ""},
		func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/slow":
				<-r.Context().Done()
			case "/huge":
				w.Header().Set("Content-Type", "text/html")
				for r.Context().Err() == nil {
					w.Write(bytes.Repeat([]byte("<p>more "), 1000))
				}
			case "/longfile":
				w.Header().Set("Content-Length", "1000000000000")
				io.WriteString(w, "x")
			case "/drip":
				for r.Context().Err() == nil {
					io.WriteString(w, "x")
					w.(http.Flusher).Flush()
					time.Sleep(5 * time.Millisecond)
				}
			case "/garbage":
				nc, _, _ := w.(http.Hijacker).Hijack()
				io.WriteString(nc, "this is not HTTP\r\n\r\n")
				nc.Close()
			case "/badzip":
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Content-Encoding", "gzip")
				io.WriteString(w, "this is not gzip, however long one reads it")
			case "/badtype":
				w.Header().Set("Content-Type", "text/html; charset=\"klingon\xff; =")
				io.WriteString(w, "<title>fine</title>")
			case "/204":
				w.WriteHeader(204)
			}
		})
	cfg := s.config()
	cfg.Retries = new(0)
	cfg.Timeout = time.Second
	cfg.LimitBytes = 100_000
	summary := run(t, cfg)
	want := "/||200\n/204||204\n/badtype||200\n/badzip|encoding|200\n/drip|timeout|200\n/garbage|protocol|\n/huge|too large|200\n/longfile|too large|200\n/slow|timeout|"
	if got := s.query(cfg.Out, "SELECT url, substr(error, 1, instr(error, ':') - 1), status FROM pages ORDER BY url"); got != want {
		t.Errorf("pages:\n%s\nwant\n%s", got, want)
	}
	if summary.Errors["timeout"] != 2 || summary.Errors["too large"] != 2 || summary.Queued != 0 {
		t.Errorf("summary: %+v", summary)
	}
}

func TestRun_hostsThatCannotBeReached_areNamedWithTheReason(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	defer secure.Close()
	for kind, address := range map[string]string{
		"unknown host": "http://no-such-host.invalid/",
		"refused":      "http://" + closed.Addr().String(),
		"certificate":  secure.URL,
	} {
		cfg := crawl.Config{
			Start: []string{address}, Out: filepath.Join(t.TempDir(), "x.db"),
			Retries: new(0), Log: slog.New(slog.DiscardHandler),
		}
		summary := run(t, cfg)
		if summary.Errors[kind] != 1 || summary.Found != 0 || !strings.Contains(summary.First, address) {
			t.Errorf("%s: errors %v, first %q", address, summary.Errors, summary.First)
		}
	}
}

func TestRun_perHost_isNeverPassed(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	var links strings.Builder
	for i := range 40 {
		fmt.Fprintf(&links, "<a href=/%d>", i)
	}
	s := newSite(t, map[string]string{"/": links.String()}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
	})
	cfg := s.config()
	cfg.PerHost = 3
	run(t, cfg)
	if most != 3 {
		t.Errorf("%d requests at once, want 3", most)
	}
}

// tree is a site of n pages; page i links to 2i+1 and 2i+2, and all to a few.
func tree(t *testing.T, n int) *site {
	return newSite(t, map[string]string{"/robots.txt": ""}, func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if r.URL.Path != "/" && (err != nil || i >= n) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		for _, to := range []int{2*i + 1, 2*i + 2, i % 7, i / 2} {
			if to < n && to > 0 {
				fmt.Fprintf(w, "<a href=/%d>x</a>", to)
			}
		}
	})
}

func TestRun_stoppedAndCancelledManyTimes_endsWithEveryPageOnce(t *testing.T) {
	const n = 1500
	s := tree(t, n)
	cfg := s.config()
	inDatabase := map[string]bool{}
	interrupted := 0
	for round := 0; ; round++ {
		before := len(s.requests())
		var cancel context.CancelCauseFunc
		stop := new(asyncio.Event)
		cfg.Stop = stop
		pages := 0
		cfg.OnPage = func(p crawl.Page) {
			if inDatabase[p.URL] {
				t.Errorf("%s was stored twice", p.URL)
			}
			inDatabase[p.URL] = true
			if pages++; pages == 200 {
				if round%2 == 0 {
					stop.Set()
				} else {
					cancel(errors.New("enough"))
				}
			}
		}
		known := maps.Clone(inDatabase)
		var summary crawl.Summary
		err := asyncio.Run(context.Background(), func(ctx context.Context) (err error) {
			ctx, cancel = asyncio.WithCancel(ctx)
			summary, err = crawl.Run(ctx, cfg)
			return err
		}, asyncio.WithInterrupt(false))
		for _, path := range s.requests()[before:] {
			if known[s.URL+path] {
				t.Errorf("%s was in the database and was asked for again", path)
			}
		}
		cfg.Resume = true
		if err != nil || summary.Stopped {
			if interrupted++; interrupted > n/200+1 {
				t.Fatal("it does not end")
			}
			continue
		}
		break
	}
	if got := len(s.pages(cfg.Out)); got != n || interrupted < 2 {
		t.Errorf("%d pages after %d interruptions, want %d", got, interrupted, n)
	}
	if got := s.query(cfg.Out, "SELECT count(*) FROM urls WHERE state <> 3"); got != "0" {
		t.Errorf("%s addresses are not done", got)
	}
}

func TestRun_resumeWithoutSettings_takesThoseOfTheCrawl(t *testing.T) {
	s := newSite(t, map[string]string{"/": `<h1>0</h1><a href=/a><a href=/no>`, "/a": `<h1>1</h1><a href=/b>`, "/b": "<h1>2</h1><a href=/c>"}, nil)
	cfg := s.config()
	cfg.Deny, cfg.Select, cfg.Depth, cfg.MaxPages = []string{"/no"}, []string{"h=h1"}, new(2), 1
	run(t, cfg)
	run(t, crawl.Config{Out: cfg.Out, Resume: true, MaxPages: 100, Log: cfg.Log})
	if got := s.query(cfg.Out, "SELECT url, value FROM pages LEFT JOIN fields ON page = id ORDER BY url"); got != "/|0\n/a|1\n/b|2" {
		t.Errorf("pages:\n%s", got)
	}
}

func TestRun_progress_isReported(t *testing.T) {
	s := tree(t, 300)
	cfg := s.config()
	cfg.Rate = 1000
	cfg.ProgressInterval = 10 * time.Millisecond
	var reports []crawl.Progress
	cfg.OnProgress = func(p crawl.Progress) { reports = append(reports, p) }
	run(t, cfg)
	if len(reports) < 5 {
		t.Fatalf("%d reports", len(reports))
	}
	most := slices.MaxFunc(reports, func(a, b crawl.Progress) int { return int(a.Queued - b.Queued) })
	if last := reports[len(reports)-1]; last.Done < 100 || most.Queued < 10 {
		t.Errorf("last report %+v, most queued %d", last, most.Queued)
	}
}

func TestRun_wrongConfig_isErrConfigAndNamesWhat(t *testing.T) {
	for want, cfg := range map[string]crawl.Config{
		"no address":  {Out: "x"},
		"no database": {Start: []string{"h"}},
		"ftp:":        {Start: []string{"ftp://h/"}, Out: "x"},
		"allow":       {Start: []string{"h"}, Out: "x", Allow: []string{"("}},
		"deny":        {Start: []string{"h"}, Out: "x", Deny: []string{"("}},
		"select":      {Start: []string{"h"}, Out: "x", Select: []string{"x"}},
		"depth":       {Start: []string{"h"}, Out: "x", Depth: new(-1)},
		"retries":     {Start: []string{"h"}, Out: "x", Retries: new(-1)},
		"limit":       {Start: []string{"h"}, Out: "x", Rate: -1},
	} {
		if _, err := tryRun(cfg); !errors.Is(err, crawl.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q in it", err, want)
		}
	}
}

func TestRun_manyLargeFilesAtOnce_eachHashIsOfItsOwnBytes(t *testing.T) {
	const files = 24
	body := func(i string) []byte { return bytes.Repeat([]byte("this is file "+i+"\n"), 300_000) }
	var links strings.Builder
	for i := range files {
		fmt.Fprintf(&links, "<a href=/%d>", i)
	}
	s := newSite(t, map[string]string{"/": links.String()}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		w.Write(body(r.URL.Path[1:]))
	})
	cfg := s.config()
	cfg.PerHost, cfg.Rate = files, 10_000
	run(t, cfg)
	for i := range files {
		n := strconv.Itoa(i)
		if got := s.query(cfg.Out, "SELECT hash FROM pages WHERE url LIKE '%/"+n+"'"); got != fmt.Sprintf("%x", sha256.Sum256(body(n))) {
			t.Errorf("the hash of file %d is %s", i, got)
		}
	}
}
