package crawl

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testStore is a store with what a crawler would know about its frontier.
type testStore struct {
	*store
	t *testing.T
}

func newTestStore(t *testing.T, path string, resume bool, depth int, deny ...string) *testStore {
	t.Helper()
	s, _, err := openStore(path, resume, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	patterns, err := compile("deny", deny)
	if err != nil {
		t.Fatal(err)
	}
	start := []string{"http://h/"}
	if resume {
		start = nil
	}
	if err := s.begin([]byte("{}"), start, scope{hosts: map[string]bool{}, deny: patterns}, depth); err != nil {
		t.Fatal(err)
	}
	return &testStore{store: s, t: t}
}

// frontier lists what is queued, as "path depth".
func (s *testStore) frontier() (list []string) {
	s.t.Helper()
	for _, it := range s.items() {
		list = append(list, fmt.Sprintf("%s %d", strings.TrimPrefix(it.url, "http://h"), it.depth))
	}
	return list
}

func (s *testStore) items() (list []item) {
	s.t.Helper()
	for name, id := range s.origins {
		out, err := s.write(nil, []wanted{{id, 0, 100}})
		if err != nil {
			s.t.Fatal(name, err)
		}
		list = append(list, out.loaded[id].items...)
	}
	slices.SortFunc(list, func(a, b item) int { return int(a.id - b.id) })
	return list
}

// done stores a queued page with links, written "/path" with " nofollow" or
// " redirect" behind it.
func (s *testStore) done(path string, links ...string) stored {
	s.t.Helper()
	for _, it := range s.items() {
		if it.url != absolute(path) {
			continue
		}
		r := &result{item: it, page: Page{URL: it.url, Status: 200, Depth: it.depth, Referrer: it.referrer, Time: time.Unix(0, 0)}}
		for _, l := range links {
			to, kind, _ := strings.Cut(l, " ")
			r.links = append(r.links, link{absolute(to), map[string]linkKind{"": followed, "nofollow": nofollow, "redirect": redirect}[kind]})
		}
		out, err := s.write([]*result{r}, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		return out
	}
	s.t.Fatalf("%s is not queued, only %q", path, s.frontier())
	return stored{}
}

func absolute(path string) string {
	if strings.HasPrefix(path, "/") {
		return "http://h" + path
	}
	return path
}

func (s *testStore) expect(want ...string) {
	s.t.Helper()
	if got := s.frontier(); !slices.Equal(got, want) {
		s.t.Fatalf("queued are %q, want %q", got, want)
	}
	if int(s.queued) != len(want) {
		s.t.Fatalf("the count of the queued is %d, want %d", s.queued, len(want))
	}
}

func (s *testStore) rows(query string) string {
	s.t.Helper()
	return queryText(s.t, s.path, query)
}

// queryText returns a query's rows, one a line, with | between columns.
func queryText(t *testing.T, path, query string) string {
	t.Helper()
	dsn, err := checkFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var lines []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		to := make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range values {
			texts = append(texts, v.String)
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestStore_linksAreQueuedOnce_inOrder(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "a?b#c %.db"), false, noDepth, "private")
	s.expect("/ 0")
	s.done("/", "/a", "/b", "/", "http://other/", "/private", "/c nofollow")
	s.expect("/a 1", "/b 1")
	s.done("/a", "/b", "/c", "/d")
	s.expect("/b 1", "/c 2", "/d 2")
	want := `http://h/|http://h/|link
http://h/|http://h/a|link
http://h/|http://h/b|link
http://h/|http://h/c|nofollow
http://h/|http://h/private|link
http://h/|http://other/|link
http://h/a|http://h/b|link
http://h/a|http://h/c|link
http://h/a|http://h/d|link`
	if got := s.rows("SELECT source, target, kind FROM links ORDER BY source, target"); got != want {
		t.Errorf("links are\n%s\nwant\n%s", got, want)
	}
	if got := s.rows("SELECT url, status, depth, referrer, time FROM pages"); got !=
		"http://h/|200|0||1970-01-01T00:00:00.000Z\nhttp://h/a|200|1|http://h/|1970-01-01T00:00:00.000Z" {
		t.Errorf("pages are\n%s", got)
	}
}

func TestStore_depthLimit_doesNotDependOnTheOrderOfPages(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, 2)
	s.done("/", "/slow", "/fast")
	s.done("/fast", "/middle")
	s.done("/middle", "/x", "/y") // too deep on this way
	s.expect("/slow 1")
	out := s.done("/slow", "/x")
	s.expect("/x 2")
	if len(out.rewound) != 1 {
		t.Error("the frontier is not told to look back")
	}
}

func TestStore_shorterWay_isHandedOnThroughPagesThatAreDone(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, 3)
	s.done("/", "/slow", "/a")
	s.done("/a", "/b")
	s.done("/b", "/c")
	s.done("/c", "/d", "/r")
	s.expect("/slow 1")
	s.done("/slow", "/c") // not shorter for /c, no: 2 instead of 3
	s.expect("/d 3", "/r 3")
	if got := s.rows("SELECT depth, referrer FROM pages WHERE url = 'http://h/c'"); got != "2|http://h/slow" {
		t.Errorf("the page has %s", got)
	}
}

func TestStore_redirectOfAStartPage_takesItsHostIn(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, noDepth)
	if _, err := s.write(nil, nil); err != nil {
		t.Fatal(err)
	}
	s.done("/", "https://www.h/ redirect")
	s.expect("https://www.h/ 0")
	s.done("https://www.h/", "https://www.h/a", "/a", "http://elsewhere/")
	s.expect("https://www.h/a 1", "/a 1")
}

func TestStore_hostTakenInLater_getsTheLinksThatWereSeenBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := newTestStore(t, path, false, noDepth)
	s.done("/", "/moved", "http://new/a", "http://new/b nofollow", "http://newer/")
	if err := s.transaction(func() error { return s.widen("new") }); err != nil {
		t.Fatal(err)
	}
	s.expect("/moved 1", "http://new/a 1")
	s.done("/moved", "http://new/b")
	s.expect("http://new/a 1", "http://new/b 2")
}

func TestStore_redirectsInARow_areCounted(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, 0)
	s.done("/", "/1 redirect")
	s.done("/1", "/2 redirect")
	if it := s.items()[0]; it.hops != 2 || it.depth != 0 {
		t.Errorf("hops %d, depth %d; want 2, 0", it.hops, it.depth)
	}
}

func TestStore_resume_goesOnWithWhatIsQueued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := newTestStore(t, path, false, 1)
	s.done("/", "/a", "/b")
	s.done("/a", "/deep", "/n nofollow")
	s.close()
	s = newTestStore(t, path, true, 1)
	s.expect("/b 1")
	s.close()
	s = newTestStore(t, path, true, 2) // a deeper limit takes in what was too deep
	s.expect("/b 1", "/deep 2")
}

func TestStore_fieldsKeepTheirOrder(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, noDepth)
	r := &result{item: s.items()[0], fields: []field{{"price", "1"}, {"name", "n"}, {"price", "2"}}}
	if _, err := s.write([]*result{r}, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.rows("SELECT url, name, position, value FROM fields JOIN pages ON pages.id = page"); got !=
		"http://h/|name|0|n\nhttp://h/|price|0|1\nhttp://h/|price|1|2" {
		t.Error(got)
	}
}

func TestStore_cacheForgets_nothingChanges(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, noDepth)
	s.known = newCache(4)
	var links, want []string
	for i := range 50 {
		links = append(links, fmt.Sprintf("/%d", i))
		want = append(want, fmt.Sprintf("/%d 1", i))
	}
	s.done("/", links...)
	s.expect(want...)
	s.done("/0", links...)
	s.expect(want[1:]...)
}

func TestOpenStore_wrongFiles_areNamedWithWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(file("text"), []byte(strings.Repeat("This is no database. ", 100)), 0o666)
	os.WriteFile(file("empty"), nil, 0o666)
	foreign, _ := sql.Open("sqlite", file("foreign"))
	if _, err := foreign.Exec("CREATE TABLE t (a); PRAGMA application_id = 7"); err != nil {
		t.Fatal(err)
	}
	foreign.Close()
	newer := newTestStore(t, file("newer"), false, noDepth)
	newer.exec("", "PRAGMA user_version = 99")
	newer.close()
	newTestStore(t, file("crawl"), false, noDepth).done("/")

	for name, c := range map[string]struct {
		resume bool
		want   string
	}{
		"text":         {false, "is not a SQLite database"},
		"foreign":      {false, "is a database of another program"},
		"newer":        {true, "another version"},
		"crawl":        {false, "holds an earlier crawl"},
		"empty":        {true, "holds no crawl"},
		"missing":      {true, "no such file"},
		"missing/file": {false, "no such file"},
	} {
		s, _, err := openStore(file(name), c.resume, false)
		if err == nil {
			s.close()
			t.Errorf("%s was opened", name)
		} else if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v; want %q in it", name, err, c.want)
		}
	}
	if _, err := os.Stat(file("missing")); err == nil {
		t.Error("resuming made a file")
	}
	if data, _ := os.ReadFile(file("text")); !strings.HasPrefix(string(data), "This is no database") {
		t.Error("the file that is no database was changed")
	}
}

func TestOpenStore_killedBeforeItBegan_isBegunWhenResumedWithItsAddresses(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "empty"), nil, 0o666)
	s, _, err := openStore(filepath.Join(dir, "schema only"), false, true)
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	for _, name := range []string{"empty", "schema only"} {
		s, _, err := openStore(filepath.Join(dir, name), true, true)
		if err != nil {
			t.Errorf("%s, with addresses: %v", name, err)
			continue
		}
		s.close()
		if s, _, err := openStore(filepath.Join(dir, name), true, false); err == nil {
			s.close()
			t.Errorf("%s, without addresses: it was opened", name)
		}
	}
}

func TestOpenStore_crawlThatNeverGotAPage_isBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := newTestStore(t, path, false, noDepth)
	r := &result{item: s.items()[0], page: Page{Error: "refused: x"}}
	if _, err := s.write([]*result{r}, nil); err != nil {
		t.Fatal(err)
	}
	s.close()
	newTestStore(t, path, false, noDepth).expect("/ 0")
}

func TestStore_failedTransaction_changesNothing(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, noDepth)
	it := s.items()[0]
	r := &result{item: it, links: []link{{"http://h/new", followed}}}
	// The second one is there already.
	if _, err := s.write([]*result{r, r}, nil); err == nil || !strings.Contains(err.Error(), "another crawl") {
		t.Fatalf("error: %v", err)
	}
	if got := s.rows("SELECT count(*), (SELECT count(*) FROM pages) FROM urls"); got != "1|0" {
		t.Errorf("urls and pages: %s, want 1|0", got)
	}
}

func TestStore_fullDisk_isSaidAndTheDatabaseStaysWhole(t *testing.T) {
	s := newTestStore(t, filepath.Join(t.TempDir(), "x.db"), false, noDepth)
	s.done("/", "/a", "/b")
	var pages int
	s.scan("PRAGMA page_count", &pages)
	s.exec("", fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	r := &result{item: s.items()[0], page: Page{Title: strings.Repeat("x", 1<<20)}, links: []link{{"http://h/new", followed}}}
	_, err := s.write([]*result{r}, nil)
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "--resume") {
		t.Fatalf("error: %v", err)
	}
	if got := s.rows("PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity: %s", got)
	}
	s.close()
	newTestStore(t, s.path, true, noDepth).expect("/a 1", "/b 1")
}
