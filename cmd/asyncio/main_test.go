package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// asProgram makes the test binary the program itself, so that it can be
// interrupted and killed.
const asProgram = "ASYNCIO_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	leakcheck.Main(m)
}

// command is the program with its arguments.
type command struct {
	*exec.Cmd
	t       *testing.T
	started chan struct{}
}

func program(t *testing.T, args ...string) *command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return &command{cmd, t, make(chan struct{})}
}

func (c *command) start() {
	c.t.Helper()
	if err := c.Start(); err != nil {
		c.t.Fatal(err)
	}
	close(c.started)
}

// signal may be called from any goroutine, also before the start.
func (c *command) signal(s os.Signal) {
	<-c.started
	c.Process.Signal(s)
}

// ran is what a command left behind.
type ran struct {
	code        int
	out, errors string
}

func runProgram(t *testing.T, args ...string) ran {
	t.Helper()
	cmd := program(t, args...)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	cmd.start()
	late := time.AfterFunc(time.Minute, func() { cmd.signal(os.Kill) })
	defer late.Stop()
	cmd.Wait()
	return ran{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
}

// treeSite has n pages; page i links to 2i+1 and 2i+2. It counts requests.
type treeSite struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
	hook  func(total int) // called for each request, before it is answered
}

func newTreeSite(t *testing.T, n int) *treeSite {
	s := &treeSite{asked: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			return
		}
		s.mu.Lock()
		s.asked[r.URL.Path]++
		total, hook := len(s.asked), s.hook
		s.mu.Unlock()
		if hook != nil {
			hook(total)
		}
		w.Header().Set("Content-Type", "text/html")
		i, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		fmt.Fprintf(w, "<title>page %d</title>", i)
		for _, to := range []int{2*i + 1, 2*i + 2} {
			if to < n {
				fmt.Fprintf(w, "<a href=/%d>x</a>", to)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *treeSite) setHook(hook func(total int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

func (s *treeSite) requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := map[string]int{}
	for path, n := range s.asked {
		copied[path] = n
	}
	return copied
}

// stored lists the paths of the pages in a database.
func (s *treeSite) stored(t *testing.T, file string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var check string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Fatalf("integrity check: %s, %v", check, err)
	}
	rows, err := db.Query("SELECT url FROM pages ORDER BY url")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var url string
		if err := rows.Scan(&url); err != nil {
			t.Fatal(err)
		}
		list = append(list, strings.TrimPrefix(url, s.URL))
	}
	return list
}

func TestCrawl_goodSite_summaryAndExitCode0(t *testing.T) {
	s := newTreeSite(t, 50)
	file := filepath.Join(t.TempDir(), "site.db")
	r := runProgram(t, "crawl", s.URL, "--out", file)
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errors)
	}
	for _, want := range []string{"pages", "200 OK", "50", "wall time", "all requests", file} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in the summary:\n%s", want, r.out)
		}
	}
	if n := len(s.stored(t, file)); n != 50 {
		t.Errorf("%d pages in the database", n)
	}
}

func TestCrawl_json_isAnObjectALine(t *testing.T) {
	s := newTreeSite(t, 20)
	r := runProgram(t, "crawl", s.URL, "--json", "--out", filepath.Join(t.TempDir(), "site.db"))
	pages, summaries := 0, 0
	for line := range strings.Lines(r.out) {
		var object struct {
			Type   string         `json:"type"`
			URL    string         `json:"url"`
			Pages  int            `json:"pages"`
			Status map[string]int `json:"-"`
		}
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case object.Type == "page" && strings.HasPrefix(object.URL, s.URL):
			pages++
		case object.Type == "summary" && object.Pages == 20 && pages == 20:
			summaries++
		default:
			t.Errorf("unexpected: %s", line)
		}
	}
	if summaries != 1 || r.code != 0 {
		t.Errorf("%d summaries, exit code %d: %s", summaries, r.code, r.errors)
	}
}

func TestCrawl_thatCannotBe_exitCode1AndTheReason(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o666)
	foreign := filepath.Join(dir, "foreign.db")
	db, _ := sql.Open("sqlite", foreign)
	db.Exec("CREATE TABLE t (a)")
	db.Close()
	s := newTreeSite(t, 1)
	used := filepath.Join(dir, "used.db")
	if r := runProgram(t, "crawl", s.URL, "-o", used); r.code != 0 {
		t.Fatal(r.errors)
	}
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	defer secure.Close()
	fresh := filepath.Join(dir, "fresh.db")
	for want, args := range map[string][]string{
		"unknown host: there is no host no-such-host.invalid": {"no-such-host.invalid", "-o", fresh},
		"connection refused":          {"127.0.0.1:1", "-o", fresh, "--retries", "0"},
		"certificate: ":               {secure.URL, "-o", fresh},
		"404 Not Found":               {missing.URL, "-o", fresh},
		"no such file or directory":   {s.URL, "-o", filepath.Join(dir, "none", "x.db")},
		"is a directory":              {s.URL, "-o", dir},
		"is not a SQLite database":    {s.URL, "-o", text},
		"database of another program": {s.URL, "-o", foreign},
		"holds an earlier crawl":      {s.URL, "-o", used},
		"new.db: no such file":        {"--resume", "-o", filepath.Join(dir, "new.db")},
	} {
		r := runProgram(t, append([]string{"crawl"}, args...)...)
		if r.code != 1 || !strings.Contains(r.errors, want) || strings.Contains(r.errors, "goroutine") {
			t.Errorf("%q: exit code %d; want %q in\n%s", args, r.code, want, r.errors)
		}
	}
}

func TestCrawl_pageLimit_isSaidWithHowToGoOn(t *testing.T) {
	s := newTreeSite(t, 100)
	file := filepath.Join(t.TempDir(), "site.db")
	r := runProgram(t, "crawl", s.URL, "--out", file, "--max-pages", "10")
	if r.code != 0 || !strings.Contains(r.errors, "asyncio crawl --resume --out "+file+" --max-pages 20") {
		t.Fatalf("exit code %d\n%s", r.code, r.errors)
	}
	if n := len(s.stored(t, file)); n != 10 {
		t.Errorf("%d pages", n)
	}
}

func TestUsage_wrong_exitCode2(t *testing.T) {
	for want, args := range map[string][]string{
		"no address":   {"crawl"},
		"--depth":      {"crawl", "h", "--depth", "x"},
		"negative":     {"crawl", "h", "--depth=-1"},
		"not a URL":    {"crawl", "http://[/"},
		"only http":    {"crawl", "ftp://h/"},
		"allow":        {"crawl", "h", "--allow", "("},
		"select":       {"crawl", "h", "--select", "x"},
		"is no size":   {"crawl", "h", "--max-size", "big"},
		"unknown flag": {"crawl", "h", "--frobnicate"},
		"unexpected":   {"frobnicate"},
		"--pages 0":    {"demo", "--pages", "0"},
	} {
		if r := runProgram(t, args...); r.code != 2 || !strings.Contains(r.errors, want) || !strings.Contains(r.errors, "--help") {
			t.Errorf("%q: exit code %d; want %q in\n%s", args, r.code, want, r.errors)
		}
	}
}

func TestHelp_namesEveryCommandAndFlag(t *testing.T) {
	for _, c := range []struct{ args, want []string }{
		{nil, []string{"crawl", "demo", "--version"}},
		{[]string{"--help"}, []string{"crawl", "demo", "--version"}},
		{[]string{"crawl", "--help"}, []string{"--out", "--depth", "--concurrency", "--per-host", "--rate", "--allow", "--deny", "--select",
			"--resume", "--user-agent", "--max-pages", "--timeout", "--json", "Ctrl-C", "Exit codes"}},
		{[]string{"demo", "--help"}, []string{"--pages", "--out", "--keep"}},
		{[]string{"--version"}, []string{"asyncio "}},
	} {
		r := runProgram(t, c.args...)
		for _, want := range c.want {
			if r.code != 0 || !strings.Contains(r.out, want) {
				t.Errorf("%q: exit code %d, %q is not in\n%s%s", c.args, r.code, want, r.out, r.errors)
			}
		}
	}
}

// startQuietly starts a command whose errors are in the buffer once it has ended.
func startQuietly(cmd *command) *bytes.Buffer {
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &text
	cmd.start()
	return &text
}

func TestCrawl_interrupted_finishesWhatIsInFlightAndSaysHowToResume(t *testing.T) {
	s := newTreeSite(t, 2000)
	file := filepath.Join(t.TempDir(), "site.db")
	cmd := program(t, "crawl", s.URL, "--out", file)
	s.setHook(func(total int) {
		if total == 300 {
			cmd.signal(os.Interrupt)
		}
	})
	text := startQuietly(cmd)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(text.String(), "asyncio crawl --resume --out "+file) {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if asked, stored := len(s.requests()), len(s.stored(t, file)); asked != stored {
		t.Errorf("%d pages were asked for, and %d are stored", asked, stored)
	}
	s.setHook(nil)
	if r := runProgram(t, "crawl", "--resume", "--out", file); r.code != 0 {
		t.Fatalf("resumed: exit code %d\n%s", r.code, r.errors)
	}
	if n := len(s.stored(t, file)); n != 2000 {
		t.Errorf("%d pages in the end", n)
	}
	for path, n := range s.requests() {
		if n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

func TestCrawl_interruptedTwice_stopsAtOnce(t *testing.T) {
	s := newTreeSite(t, 2000)
	file := filepath.Join(t.TempDir(), "site.db")
	cmd := program(t, "crawl", s.URL, "--out", file)
	release, once := make(chan struct{}), sync.Once{}
	s.setHook(func(total int) {
		if total >= 100 {
			once.Do(func() { cmd.signal(os.Interrupt) })
			<-release // what is in flight does not finish
		}
	})
	defer close(release)
	errors, w := io.Pipe()
	cmd.Stderr = w
	cmd.start()
	ended := make(chan string)
	go func() {
		var text strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := errors.Read(buffer)
			text.Write(buffer[:n])
			if strings.Contains(string(buffer[:n]), "Ctrl-C again") {
				cmd.signal(os.Interrupt)
			}
			if err != nil {
				ended <- text.String()
				return
			}
		}
	}()
	began := time.Now()
	cmd.Wait()
	w.Close()
	text := <-ended
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(text, "--resume") || time.Since(began) > 20*time.Second {
		t.Errorf("exit code %d after %v\n%s", code, time.Since(began), text)
	}
	if n := len(s.stored(t, file)); n == 0 {
		t.Error("nothing is stored")
	}
}

func TestCrawl_killedAgainAndAgain_losesNoPageAndAsksForNoneAgain(t *testing.T) {
	const n = 3000
	s := newTreeSite(t, n)
	file := filepath.Join(t.TempDir(), "site.db")
	args := []string{"crawl", s.URL, "--out", file}
	kills := 0
	for kills < 12 {
		stored := map[string]bool{}
		if kills > 0 {
			for _, path := range s.stored(t, file) {
				stored[path] = true
			}
		}
		before := s.requests()
		cmd := program(t, args...)
		limit := len(before) + 50 + 37*kills
		s.setHook(func(total int) {
			if total > limit {
				cmd.signal(os.Kill)
			}
		})
		startQuietly(cmd)
		cmd.Wait()
		for path, count := range s.requests() {
			if stored[path] && count != before[path] {
				t.Errorf("%s was stored, and asked for again", path)
			}
		}
		if cmd.ProcessState.ExitCode() == 0 {
			break
		}
		kills++
		if _, err := os.Stat(file); err == nil {
			args = []string{"crawl", "--resume", "--out", file}
		}
	}
	s.setHook(nil)
	if r := runProgram(t, args...); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.errors)
	}
	stored := s.stored(t, file)
	if len(stored) != n || len(slices.Compact(stored)) != n || kills < 3 {
		t.Errorf("%d pages after %d kills, want %d", len(stored), kills, n)
	}
}

func TestCrawl_onATerminal_showsProgressOnOneLine(t *testing.T) {
	s := newTreeSite(t, 400)
	cmd := program(t, "crawl", s.URL, "--rate", "300", "--out", filepath.Join(t.TempDir(), "site.db"))
	terminal, err := pty.StartWithSize(cmd.Cmd, &pty.Winsize{Rows: 24, Cols: 70})
	if err != nil {
		t.Skip("no pseudo-terminal here: ", err)
	}
	defer terminal.Close()
	text, _ := io.ReadAll(terminal) // ends with EIO when the program does
	cmd.Wait()
	lines := 0
	for line := range strings.SplitSeq(string(text), eraseLine) {
		if strings.Contains(line, "pages/s") && strings.Contains(line, "queued") {
			lines++
			if len(line) >= 70 {
				t.Errorf("a line of %d columns on 70: %q", len(line), line)
			}
		}
	}
	if lines < 3 || cmd.ProcessState.ExitCode() != 0 || strings.Contains(string(text), "level=INFO") {
		t.Errorf("%d lines of progress, exit code %d:\n%q", lines, cmd.ProcessState.ExitCode(), text)
	}
}

func TestDemo_crawlsItsSiteAndAnswersQuestions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "demo.db")
	r := runProgram(t, "demo", "--pages", "300", "--out", file)
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errors)
	}
	for _, want := range []string{"one by one", "Which links are broken?", "/reviews/100", "dearest", "volume", "How far"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in\n%s", want, r.out)
		}
	}
	if r := runProgram(t, "demo", "--pages", "300", "--out", file); r.code != 1 || !strings.Contains(r.errors, "earlier crawl") {
		t.Errorf("into the same file again: exit code %d\n%s", r.code, r.errors)
	}
}

func TestDemo_interrupted_exitCode130(t *testing.T) {
	cmd := program(t, "demo", "--pages", "100000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.start()
	buffer, seen := make([]byte, 4096), ""
	for !strings.Contains(seen, "$ asyncio crawl") {
		n, err := out.Read(buffer)
		if seen += string(buffer[:n]); err != nil {
			t.Fatalf("it ended: %s", seen)
		}
	}
	time.AfterFunc(time.Second, func() { cmd.signal(os.Interrupt) })
	io.Copy(io.Discard, out)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}
