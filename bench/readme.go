package main

import (
	"fmt"
	"os"
	"strings"
	"text/template"
)

const (
	readmeFile  = "../README.md"
	readmeBegin = "<!-- bench/run writes what follows -->\n"
	readmeEnd   = "<!-- up to here -->\n"
)

// readmeTable is the table in README.md. {{with row "part" "what"}} is a row of that part's results; .N is the median of
// a contender's metric, and .K a thousandth of that.
var readmeTable = template.Must(template.New("README.md").Funcs(template.FuncMap{"row": (results).pick}).Parse(
	`| what | here | beside |
|---|--:|---|
{{with row . "crawl" "one core" -}}
| crawl of {{.N "asyncio" "urls"}} pages, one core | {{.N "asyncio" "pages/s"}} pages/s, {{.N "asyncio" "peak-mb"}} MB | ` +
		`colly {{.N "colly" "pages/s"}}, {{.N "colly" "peak-mb"}} MB; Scrapy {{.N "Scrapy" "pages/s"}}, {{.N "Scrapy" "peak-mb"}} MB; ` +
		`wget {{.N "wget" "pages/s"}}, {{.N "wget" "peak-mb"}} MB |
{{end}}{{with row . "http" "64 at a time" -}}
| HTTP requests, 64 at a time | {{.N "asyncio" "us"}} µs | ` +
		"`http.Transport` " + `{{.N "http.Transport" "us"}}; Python's aiohttp {{.N "aiohttp" "us"}} |
{{end}}{{with row . "spawn" "100,000 at once" -}}
| 100,000 tasks started and awaited | {{.N "asyncio" "ns"}} ns each | goroutines {{.N "goroutines" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "spawn" "one by one" -}}
| one task after the other | {{.N "asyncio" "ns"}} ns | goroutines {{.N "goroutines" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "groups" "Group of 1000" -}}
| a group of 1,000 tasks | {{.N "asyncio" "ns"}} ns a task | errgroup {{.N "errgroup" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "timeouts" "returns at once" -}}
| a timeout armed and disarmed | {{.N "asyncio" "ns"}} ns | ` + "`context.WithTimeout` " + `{{.N "context" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "cancel" "together" -}}
| 100,000 waiting tasks cancelled | {{.N "asyncio" "ns"}} ns each | contexts {{.N "context" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "yield" "100 tasks" -}}
| a yield among 100 tasks | {{.N "asyncio" "ns"}} ns | Gosched {{.N "Gosched" "ns"}}; ` +
		`uvloop {{.N "uvloop" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "handover" "queue" -}}
| a hand-over through a queue | {{.N "asyncio" "ns"}} ns | channel {{.N "channel" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "sync" "lock, 100 tasks" -}}
| a lock that 100 tasks want, handed over | {{.N "asyncio" "ns"}} ns | sync.Mutex {{.N "sync.Mutex" "ns"}}; ` +
		`CPython {{.N "CPython" "ns"}}; tokio {{.N "tokio" "ns"}} |
{{end}}{{with row . "echo" "64 B, 64 connections" -}}
| TCP echo of 64 bytes, 64 connections | {{.N "asyncio" "msg/s"}} a second; callback style {{.N "asyncio protocols" "msg/s"}} | ` +
		"Go `net` " + `{{.N "Go net" "msg/s"}}; gnet {{.N "gnet" "msg/s"}}; tokio {{.N "tokio" "msg/s"}}; C {{.N "C epoll" "msg/s"}}; ` +
		`uvloop {{.N "uvloop streams" "msg/s"}} |
{{end}}{{with row . "echo" "64 B, 1000 connections" -}}
| the same with 1,000 | {{.N "asyncio" "msg/s"}}; {{.N "asyncio protocols" "msg/s"}} | ` +
		"Go `net` " + `{{.N "Go net" "msg/s"}}; gnet {{.N "gnet" "msg/s"}}; tokio {{.N "tokio" "msg/s"}}; C {{.N "C epoll" "msg/s"}}; ` +
		`uvloop {{.N "uvloop streams" "msg/s"}} |
{{end}}{{with row . "tls" "new sessions" -}}
| TLS handshakes | {{.N "asyncio" "handshakes/s"}} a second | ` + "Go `net` " + `{{.N "Go net" "handshakes/s"}}; ` +
		`Node {{.N "Node" "handshakes/s"}}; uvloop {{.N "uvloop" "handshakes/s"}} |
{{end}}{{with row . "udp" "64 at a time" -}}
| UDP echo | {{.N "asyncio" "msg/s"}} packets/s | ` + "Go `net` " + `{{.N "Go net" "msg/s"}}; ` +
		`tokio {{.N "tokio" "msg/s"}}; uvloop {{.N "uvloop" "msg/s"}} |
{{end}}{{with row . "files" "1,000 small files" -}}
| 1,000 small files read at once | {{.N "asyncio" "us"}} µs each | os {{.N "os" "us"}}; CPython {{.N "CPython" "us"}} |
{{end}}{{with row . "idle" "idle connection" -}}
| an idle connection | {{.K "asyncio" "live-bytes"}} kB; callback style {{.K "asyncio protocols" "live-bytes"}} kB | ` +
		`Go ` + "`net` " + `{{.K "Go net" "live-bytes"}}; gnet {{.K "gnet" "live-bytes"}} |
{{end}}{{with row . "suspended" "100000 sleeping tasks" -}}
| a sleeping task | {{.K "asyncio" "live-bytes"}} kB | goroutine {{.K "time.Sleep" "live-bytes"}} kB; ` +
		`{{end}}{{with row . "suspended" "100000 After"}}` +
		"`After`, which needs no stack, " + `{{.K "asyncio" "live-bytes"}} kB |
{{end}}`))

func (r results) pick(part, what string) rowResult { return r[part].row(what) }

// N is the median of what a contender has reached.
func (r rowResult) N(contender, metric string) (string, error) {
	v, ok := r.median(contender, metric)
	if !ok {
		return "", fmt.Errorf("%s: %s has no %s", r.What, contender, metric)
	}
	return number(v), nil
}

// K is a thousandth of N.
func (r rowResult) K(contender, metric string) (string, error) {
	v, ok := r.median(contender, metric)
	if !ok {
		return "", fmt.Errorf("%s: %s has no %s", r.What, contender, metric)
	}
	return fmt.Sprintf("%.2g", v/1000), nil
}

// readme returns README.md with the results in its table.
func (r results) readme() (string, error) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		return "", err
	}
	before, rest, begins := strings.Cut(string(text), readmeBegin)
	_, after, ends := strings.Cut(rest, readmeEnd)
	if !begins || !ends {
		return "", fmt.Errorf("%s: the table must stand between the lines %q and %q", readmeFile, readmeBegin, readmeEnd)
	}
	var table strings.Builder
	if err := readmeTable.Execute(&table, r); err != nil {
		return "", fmt.Errorf("%s cannot have its table; measure what is missing: %w", readmeFile, err)
	}
	return before + readmeBegin + "\n" + table.String() + "\n" + readmeEnd + after, nil
}
