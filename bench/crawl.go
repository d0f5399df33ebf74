package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite"
)

var crawlPart = part{
	name:  "crawl",
	title: "Crawl of a site",
	note: `The HTML of Debian's python3-doc behind nginx on loopback; 16 requests at a time (wget: one). asyncio crawl stores
every page and link in SQLite. wget stores the files. colly and Scrapy follow the links and store nothing, which is less work than
ours; "colly + SQLite" stores pages and links, too. One core: nginx on one core, the crawler on the other. Both cores:
nginx and the crawler share the two.`,
	runs: 3,
	rows: func() []row {
		metrics := []metric{
			{"pages/s", "pages/s", []target{{peer: "colly", atLeast: 1.5}, {peer: "Scrapy", atLeast: 10}}},
			{"peak-mb", "MB peak memory", []target{{peer: "colly", atMost: 1}, {peer: "Scrapy", atMost: 1}}},
			{"pages", "HTML pages", nil},
			{"urls", "URLs with an answer of 200", nil},
			{"seconds", "s in all", nil},
		}
		return []row{
			{"one core", crawlers(otherCore, ourCore), metrics},
			{"both cores", crawlers("0,1", "0,1"), metrics},
		}
	},
}

const crawlConcurrency = "16"

// wgetSawAnError is its exit code when a page was not there, as one of this site's is not.
const wgetSawAnError = 8

func crawlers(nginxCores, crawlerCores string) []contender {
	crawler := func(count func(stdout, folder string) (values, error), args ...string) func() (values, error) {
		return func() (values, error) { return crawl(nginxCores, crawlerCores, count, args) }
	}
	printed := func(stdout, _ string) (values, error) { return parse(stdout) }
	return []contender{
		{"asyncio", crawler(countRows, build+"asyncio", "crawl", "URL", "--out", "FOLDER/site.db",
			"--concurrency", crawlConcurrency, "--per-host", crawlConcurrency)},
		{"colly", crawler(printed, build+"colly", "URL", crawlConcurrency)},
		{"colly + SQLite", crawler(printed, build+"colly", "URL", crawlConcurrency, "FOLDER/site.db")},
		{"Scrapy", crawler(printed, debianPython, "peers/python/spider.py", "URL", crawlConcurrency)},
		{"wget", crawler(countFiles, "wget", "--quiet", "--mirror", "--follow-tags=a", "--directory-prefix=FOLDER", "URL")},
	}
}

// crawl runs one crawler, with URL and FOLDER in its arguments filled in, under
// time(1) for its wall time and peak memory.
func crawl(nginxCores, crawlerCores string, count func(stdout, folder string) (values, error), args []string) (values, error) {
	url, server, err := startNginx(debianDoc, nginxCores)
	if err != nil {
		return nil, err
	}
	defer stop(server)
	folder, err := os.MkdirTemp("", "bench-crawl-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	fill := strings.NewReplacer("URL", url+"index.html", "FOLDER", folder)
	filled := []string{"--format", "%e %M", "--output", folder + "/time", "--"}
	for _, arg := range args {
		filled = append(filled, fill.Replace(arg))
	}
	cmd := pinned(crawlerCores, append([]string{"/usr/bin/time"}, filled...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := output(cmd)
	if err != nil && cmd.ProcessState.ExitCode() != wgetSawAnError {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastLine(stderr.String()))
	}
	timing, err := os.ReadFile(folder + "/time")
	if err != nil {
		return nil, err
	}
	var seconds, kilobytes float64
	if _, err := fmt.Sscan(lastLine(string(timing)), &seconds, &kilobytes); err != nil {
		return nil, err
	}
	got, err := count(stdout, folder)
	if err != nil {
		return nil, err
	}
	got["seconds"], got["peak-mb"], got["pages/s"] = seconds, kilobytes/1000, got["pages"]/seconds
	return got, nil
}

// countFiles counts what wget stored.
func countFiles(_, folder string) (values, error) {
	got := values{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Dir(path) == folder {
			return err
		}
		got["urls"]++
		if strings.HasSuffix(path, ".html") {
			got["pages"]++
		}
		return nil
	})
	return got, err
}

// countRows counts what asyncio crawl stored.
func countRows(_, folder string) (values, error) {
	db, err := sql.Open("sqlite", folder+"/site.db")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var pages, urls float64
	err = db.QueryRow(`SELECT count(*) FILTER (WHERE content_type LIKE 'text/html%'), count(*)
		FROM pages WHERE status = 200`).Scan(&pages, &urls)
	return values{"pages": pages, "urls": urls}, err
}
