package docs

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file turns the guide into programs. docs/README.md ("How to read the
// code") tells the reader the same:
//
//   - A ```go block that starts with a package clause is a whole program.
//   - One that consists of declarations belongs to its section: the blocks of
//     statements that follow, up to the next heading, see them. "```go chapter"
//     belongs to the rest of the chapter.
//   - One of statements is the body of a main coroutine that is given ctx, on a
//     loop with a virtual clock. What it returns is printed: "error: ...".
//   - Declarations with test functions are run as tests.
//   - An ```output block says what the block above it prints, to the byte. What
//     has none prints nothing.
//   - "```go compile" is compiled and not run.
//
// Blocks have no imports but in whole programs; imports says what names mean.

// imports are the packages that blocks, and the names in the text, may refer to.
var imports = map[string]string{
	"aioexec":  "github.com/go-asyncio/asyncio/aioexec",
	"aiofile":  "github.com/go-asyncio/asyncio/aiofile",
	"aiohttp":  "github.com/go-asyncio/asyncio/aiohttp",
	"lowlevel": "github.com/go-asyncio/asyncio/lowlevel",
	"aionet":   "github.com/go-asyncio/asyncio/aionet",
	"asyncio":  "github.com/go-asyncio/asyncio",
	"bufio":    "bufio",
	"bytes":    "bytes",
	"context":  "context",
	"errors":   "errors",
	"exec":     "os/exec",
	"ecdsa":    "crypto/ecdsa",
	"elliptic": "crypto/elliptic",
	"fmt":      "fmt",
	"fs":       "io/fs",
	"http":     "net/http",
	"httptest": "net/http/httptest",
	"io":       "io",
	"big":      "math/big",
	"log":      "log",
	"net":      "net",
	"netip":    "net/netip",
	"os":       "os",
	"filepath": "path/filepath",
	"rand":     "math/rand/v2",
	"runtime":  "runtime",
	"slices":   "slices",
	"slog":     "log/slog",
	"strings":  "strings",
	"atomic":   "sync/atomic",
	"sync":     "sync",
	"syscall":  "syscall",
	"synctest": "testing/synctest",
	"testing":  "testing",
	"time":     "time",
	"tls":      "crypto/tls",
	"x509":     "crypto/x509",
}

// block is one fenced block.
type block struct {
	file    string // from the module's root
	line    int    // of its first line of code
	info    []string
	text    string
	section int // counts the headings
}

func (b *block) pos() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

func (b *block) is(word string) bool { return slices.Contains(b.info, word) }

// program is what a block comes to.
type program struct {
	block    *block
	name     string // of its package
	source   string
	output   string
	runs     bool
	declares bool // nothing but declarations: compiled, and run if they are tests
}

var heading = regexp.MustCompile(`^#+ `)

// blocksOf returns the fenced blocks of a Markdown file.
func blocksOf(t *testing.T, root, file string) []*block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []*block
	var open *block
	section := 0
	for i, line := range strings.SplitAfter(string(data), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case open == nil && isFence:
			open = &block{file: file, line: i + 2, info: strings.Fields(fence), section: section}
		case open != nil && isFence:
			blocks = append(blocks, open)
			open = nil
		case open != nil:
			open.text += line
		case heading.MatchString(line):
			section++
		}
	}
	if open != nil {
		t.Fatalf("%s: the block is not closed", open.pos())
	}
	return blocks
}

// programsOf returns the programs of a file, named from n on.
func programsOf(t *testing.T, blocks []*block, n int) []*program {
	t.Helper()
	var programs []*program
	var declared []*block // in this section, or for the chapter
	for i, b := range blocks {
		if !b.is("go") {
			continue
		}
		if formatted, err := format.Source([]byte(b.text)); err != nil {
			t.Errorf("%s: %v", b.pos(), err)
			continue
		} else if !bytes.Equal(formatted, []byte(b.text)) {
			t.Errorf("%s: not as gofmt writes it", b.pos())
		}
		p := &program{block: b, name: fmt.Sprintf("p%03d", n+len(programs)), runs: !b.is("compile")}
		if i+1 < len(blocks) && blocks[i+1].is("output") {
			p.output = blocks[i+1].text
		}
		declared = slices.DeleteFunc(declared, func(d *block) bool { return d.section != b.section && !d.is("chapter") })
		switch {
		case isWhole(b):
			p.source = wholeProgram(t, p)
		case isDeclarations(b):
			declared = append(declared, b)
			p.declares = true
			p.source = fragment(p, declared, nil)
		default:
			p.source = fragment(p, declared, b)
		}
		programs = append(programs, p)
	}
	return programs
}

func isWhole(b *block) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", b.text, parser.PackageClauseOnly)
	return err == nil
}

func isDeclarations(b *block) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+b.text, parser.SkipObjectResolution)
	return err == nil
}

// wholeProgram makes a package of a program: its main is called Main.
func wholeProgram(t *testing.T, p *program) string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, p.block.file, p.block.text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s: %v", p.block.pos(), err)
	}
	text := p.block.text
	replace := func(at token.Pos, old, new string) {
		i := fset.Position(at).Offset
		text = text[:i] + new + text[i+len(old):]
	}
	for _, d := range slices.Backward(f.Decls) {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "main" {
			replace(fn.Name.Pos(), "main", "Main")
		}
	}
	replace(f.Name.Pos(), "main", p.name)
	return lineDirective(p.block) + text
}

func lineDirective(b *block) string { return fmt.Sprintf("//line %s:%d\n", b.file, b.line) }

// fragment makes a package of declarations and, unless it is nil, a block of
// statements.
func fragment(p *program, declared []*block, statements *block) string {
	var body strings.Builder
	for _, d := range declared {
		body.WriteString(lineDirective(d) + d.text)
	}
	if statements != nil {
		body.WriteString("func Main() {\n" +
			"\tif err := asyncio.Run(context.Background(), coroutine, asyncio.WithVirtualClock()); err != nil {\n" +
			"\t\tfmt.Println(\"error:\", err)\n\t}\n}\n" +
			"func coroutine(ctx context.Context) error {\n" +
			lineDirective(statements) + statements.text +
			"//line generated.go:1\n\treturn nil\n}\n")
	} else {
		body.WriteString(mainOfTests(p, declared[len(declared)-1]))
	}
	return "package " + p.name + "\n\nimport (\n" + importsOf(body.String()) + ")\n\n" + body.String()
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// mainOfTests is the main function of a block of declarations: it runs the
// block's tests.
func mainOfTests(p *program, b *block) string {
	tests := testFunction.FindAllStringSubmatch(b.text, -1)
	p.runs = p.runs && len(tests) > 0
	if len(tests) == 0 {
		return "func Main() {}\n"
	}
	p.output = "PASS\n"
	var s strings.Builder
	s.WriteString("func Main() {\n\ttesting.Main(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{\n")
	for _, m := range tests {
		fmt.Fprintf(&s, "\t\t{Name: %q, F: %s},\n", m[1], m[1])
	}
	s.WriteString("\t}, nil, nil)\n}\n")
	return s.String()
}

// importsOf returns import lines for the packages that source refers to.
func importsOf(source string) string {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+source, parser.SkipObjectResolution)
	if f == nil || err != nil {
		return "" // the compiler will say what is wrong
	}
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && imports[x.Name] != "" {
				used[x.Name] = true
			}
		}
		return true
	})
	var lines []string
	for name := range used {
		lines = append(lines, fmt.Sprintf("\t%s %q\n", name, imports[name]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
