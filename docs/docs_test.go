// Package docs is the guide. Its tests compile and run each block of code in it
// and in the README, and hold its table of asyncio's names complete.
package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	// What the guide's programs are made of, so that a change there lets the
	// tests run again.
	_ "github.com/go-asyncio/asyncio/aioexec"
	_ "github.com/go-asyncio/asyncio/aiofile"
	_ "github.com/go-asyncio/asyncio/aiohttp"
	_ "github.com/go-asyncio/asyncio/aionet"
)

const packages = "github.com/go-asyncio/asyncio/docs/programs"

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// guide returns the files with the text: the README and all chapters.
func guide(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no chapters: %v", err)
	}
	for i, f := range files {
		files[i] = "docs/" + f
	}
	return append(files, "README.md")
}

// All blocks are built at once, each as a package of one program that runs the
// one it is told to. The packages exist in an overlay only: nothing is written
// into the tree.
func TestGuide_everyBlockOfCodeCompilesAndPrintsWhatItSays(t *testing.T) {
	dir := root(t)
	var programs []*program
	for _, file := range guide(t) {
		programs = append(programs, programsOf(t, blocksOf(t, dir, file), len(programs))...)
	}
	binary := compile(t, dir, programs)
	for _, p := range programs {
		if !p.runs {
			continue
		}
		t.Run(p.block.pos(), func(t *testing.T) {
			t.Parallel()
			if got := inMain(p, execute(t, binary, p.name)); got != p.output {
				t.Errorf("%s: it prints\n%s\nand not, as the text says,\n%s", p.block.pos(), got, p.output)
			}
		})
	}
}

// inMain replaces the names of places in the guide and of generated packages by
// those in the reader's copy: there the block is main.go, of package main.
func inMain(p *program, text string) string {
	text = strings.NewReplacer(
		packages+"/"+p.name+".Main", "main.main", p.name+".Main", "main.main",
		packages+"/"+p.name+".", "main.", p.name+".", "main.",
	).Replace(text)
	place := regexp.MustCompile(regexp.QuoteMeta(p.block.file) + `:(\d+)`)
	return place.ReplaceAllStringFunc(text, func(s string) string {
		line, err := strconv.Atoi(s[len(p.block.file)+1:])
		if err != nil {
			return s
		}
		return fmt.Sprintf("main.go:%d", line-p.block.line+1)
	})
}

// compile builds the programs and returns the path of the binary.
func compile(t *testing.T, dir string, programs []*program) string {
	t.Helper()
	tmp := t.TempDir()
	overlay := map[string]string{}
	add := func(name, source string) {
		real := filepath.Join(tmp, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(real, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(dir, "docs", "programs", filepath.FromSlash(name))] = real
	}
	for _, p := range programs {
		add(p.name+"/"+p.name+".go", p.source)
	}
	add("main.go", dispatcher(programs))
	config, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(overlayFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(tmp, "guide.exe")
	args := append([]string{"build", "-buildvcs=false", "-overlay", overlayFile, "-o", binary}, raceFlag...)
	cmd := exec.Command("go", append(args, "./docs/programs")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the guide's code does not compile: %v\n%s", err, out)
	}
	return binary
}

// dispatcher is the main program that runs one of the others.
func dispatcher(programs []*program) string {
	var lines, cases strings.Builder
	for _, p := range programs {
		fmt.Fprintf(&lines, "\t%q\n", packages+"/"+p.name)
		fmt.Fprintf(&cases, "\tcase %q:\n\t\tos.Args = os.Args[:1]\n\t\t%s.Main()\n", p.name, p.name)
	}
	return "package main\n\nimport (\n\t\"os\"\n" + lines.String() + ")\n\nfunc main() {\n\tswitch os.Args[1] {\n" + cases.String() + "\t}\n}\n"
}

// execute runs one program and returns what it printed.
func execute(t *testing.T, binary, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, name)
	cmd.Env = append(os.Environ(), "ASYNCIO_DEBUG=0", "ASYNCIO_POLLER=")
	var out, logged bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &logged
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, &logged)
	}
	return out.String()
}
