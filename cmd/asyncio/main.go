// Command asyncio fetches web sites into a database.
//
//	asyncio crawl https://example.com --out site.db
//	asyncio demo
//
// See asyncio --help, and asyncio crawl --help.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/go-asyncio/asyncio/crawl"
)

// The exit codes of every command.
const (
	exitDone        = 0
	exitFailed      = 1 // could not start, or got nothing
	exitUsage       = 2
	exitInterrupted = 130
)

type commands struct {
	Version kong.VersionFlag `help:"Print the version and exit."`
	Crawl   crawlCommand     `cmd:"" help:"Fetch a web site into a SQLite database."`
	Demo    demoCommand      `cmd:"" help:"Serve a made-up site on this machine, crawl it, and query what came of it."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program but for its end. The streams are those of the process or
// a test's.
func run(args []string, stdout, stderr io.Writer) int {
	code, exited := 0, false
	var cli commands
	parser := kong.Must(&cli,
		kong.Name("asyncio"),
		kong.Description("Fetch web sites into a database, many requests at a time on one thread."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { code, exited = c, true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Vars{"version": "asyncio " + version(), "agent": crawl.DefaultUserAgent},
	)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited { // --help or --version
		return code
	}
	if err != nil {
		return usageError(stderr, err)
	}
	s := &streams{out: stdout, err: newStatusLine(stderr)}
	switch command.Command() {
	case "demo":
		return cli.Demo.run(s)
	default:
		return cli.Crawl.run(s)
	}
}

func usageError(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "asyncio: %v\nTry: asyncio --help, asyncio crawl --help\n", err)
	return exitUsage
}

// version is that of the module, or of the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return info.Main.Version
}
