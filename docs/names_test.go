package docs

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file holds chapter 7, the table of asyncio's names, to conformance/api.md
// on one side and to our packages on the other, and the links of all chapters
// to what they point at.

const pythonChapter = "docs/07-python.md"

// subjects are packages whose names stand alone in the chapter about them, as
// those of package asyncio do everywhere.
var subjects = map[string]string{
	"docs/09-networking.md": "aionet",
	"docs/10-servers.md":    "aionet",
	"docs/11-tls.md":        "aionet",
	"docs/12-files.md":      "aiofile",
}

var (
	code  = regexp.MustCompile("`([^`]+)`")
	apiIn = regexp.MustCompile("^\\| \\( \\) \\| (&nbsp;&nbsp;&middot; )?`(.+?)` \\|")
)

// A name of asyncio's public surface may be one row with others, as in
// "Barrier.reset() / abort()", and have its parameters after it.
func asyncioNames(t *testing.T, dir string) (names, parameters []string) {
	t.Helper()
	for line := range strings.Lines(read(t, dir, "conformance/api.md")) {
		m := apiIn.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[1] != "":
			parameters = append(parameters, strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune(", /", r) })...)
		default:
			names = append(names, namesIn(m[2])...)
		}
	}
	slices.Sort(parameters)
	return names, slices.Compact(parameters)
}

var inWords = regexp.MustCompile(` as scope| async iteration| await$|^command line|^environment`)

func namesIn(row string) []string {
	row = withoutParentheses(strings.ReplaceAll(row, "'(T)'", ""))
	if inWords.MatchString(row) {
		return []string{row}
	}
	names := strings.Split(strings.ReplaceAll(row, " / ", ", "), ", ")
	owner, _, isMember := cutLast(names[0], ".")
	for i, n := range names {
		if isMember && !strings.Contains(n, ".") {
			names[i] = owner + "." + n
		}
	}
	return names
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func withoutParentheses(s string) string {
	var b strings.Builder
	depth := 0
	for _, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// row is one of a table: its cells, and where it stands.
type row struct {
	line  int
	cells []string
}

// rowsUnder returns the rows of the tables under a heading and its subheadings.
func rowsUnder(t *testing.T, dir, file, title string) []row {
	t.Helper()
	var rows []row
	under := false
	for i, line := range strings.Split(read(t, dir, file), "\n") {
		switch {
		case strings.HasPrefix(line, "## "):
			under = line == "## "+title
		case under && strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "|--"):
			cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
			if cells[0] != "asyncio" && cells[0] != "parameter" {
				rows = append(rows, row{i + 1, cells})
			}
		}
	}
	return rows
}

func codesIn(text string) []string {
	var found []string
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestPythonTable_hasEveryNameOfAsyncio(t *testing.T) {
	dir := root(t)
	names, parameters := asyncioNames(t, dir)
	if len(names) < 300 || len(parameters) < 100 {
		t.Fatalf("conformance/api.md has only %d names and %d parameters", len(names), len(parameters))
	}
	compare := func(title string, want []string) {
		got := map[string]int{}
		for _, r := range rowsUnder(t, dir, pythonChapter, title) {
			for _, n := range codesIn(r.cells[0]) {
				got[n] = r.line
			}
		}
		for _, n := range want {
			if got[n] == 0 {
				t.Errorf("%s, %q: %s is missing", pythonChapter, title, n)
			}
			delete(got, n)
		}
		for n, line := range got {
			t.Errorf("%s:%d: asyncio has no %s", pythonChapter, line, n)
		}
	}
	compare("Every name", names)
	compare("Every parameter", parameters)
}

func TestPythonTable_namesOnlyWhatExistsHere(t *testing.T) {
	dir := root(t)
	known := &index{dir: dir}
	rows := append(rowsUnder(t, dir, pythonChapter, "Every name"), rowsUnder(t, dir, pythonChapter, "Every parameter")...)
	for _, r := range rows {
		if len(r.cells) != 3 {
			t.Errorf("%s:%d: %d cells, want 3", pythonChapter, r.line, len(r.cells))
			continue
		}
		ours := codesIn(r.cells[1])
		if c := r.cells[1]; len(ours) == 0 && c != "none" && c != "not yet" {
			t.Errorf("%s:%d: %q is neither a name nor \"none\" nor \"not yet\"", pythonChapter, r.line, c)
		}
		for _, name := range ours {
			if !known.has(t, name) {
				t.Errorf("%s:%d: there is no %s", pythonChapter, r.line, name)
			}
		}
	}
}

// Names in the text, like Queue.Get or context.WithTimeout, exist; those of
// Python in chapter 7 aside. A method may stand without its type.
func TestGuide_namesOnlyWhatExists(t *testing.T) {
	dir := root(t)
	known := &index{dir: dir}
	likeName := regexp.MustCompile(`^\*?(?:([a-z]\w*)\.)?[A-Z]\w*(?:\.[A-Z]\w*)?(?:\(.*\))?$`)
	for _, file := range guide(t) {
		if file == "README.md" {
			continue
		}
		for i, line := range strings.Split(withoutBlocks(read(t, dir, file)), "\n") {
			for _, name := range codesIn(line) {
				m := likeName.FindStringSubmatch(name)
				switch {
				case m == nil, m[1] != "" && imports[m[1]] == "": // no name, or that of a variable's method
				case file == pythonChapter && m[1] == "":
				case known.has(t, subjects[file]+"."+strings.TrimPrefix(name, "*")):
				case !known.has(t, strings.TrimPrefix(name, "*")) && !known.hasMethod(t, name):
					t.Errorf("%s:%d: there is no %s", file, i+1, name)
				}
			}
		}
	}
}

// withoutBlocks empties the lines of code blocks.
func withoutBlocks(text string) string {
	lines := strings.Split(text, "\n")
	fenced := false
	for i, line := range lines {
		isFence := strings.HasPrefix(line, "```")
		if isFence || fenced {
			lines[i] = ""
		}
		fenced = fenced != isFence
	}
	return strings.Join(lines, "\n")
}

// index knows the exported names of packages: "Func", "Type.Method",
// "Type.Field".
type index struct {
	dir      string
	packages map[string]map[string]bool
}

// has reports whether name, such as aionet.Conn.Read, exported or a keyword,
// exists. Without a package it is the root package's. What stands in
// parentheses or brackets is not looked at.
func (x *index) has(t *testing.T, name string) bool {
	t.Helper()
	if i := strings.IndexAny(name, "(["); i > 0 {
		name = name[:i]
	}
	if token.IsKeyword(name) || doc.IsPredeclared(name) {
		return true
	}
	path := imports["asyncio"]
	if !token.IsExported(name) {
		p, rest, _ := strings.Cut(name, ".")
		if path = imports[p]; path == "" {
			return false
		}
		name = rest
	}
	return x.of(t, path)[name] || name == ""
}

// hasMethod reports whether a type of the packages that the guide is about has
// the method.
func (x *index) hasMethod(t *testing.T, name string) bool {
	t.Helper()
	name, _, _ = strings.Cut(name, "(")
	for _, p := range []string{"asyncio", "aionet", "aiofile", "aioexec", "sync"} {
		for full := range x.of(t, imports[p]) {
			if strings.HasSuffix(full, "."+name) {
				return true
			}
		}
	}
	return false
}

func (x *index) of(t *testing.T, path string) map[string]bool {
	t.Helper()
	if names := x.packages[path]; names != nil {
		return names
	}
	dir := filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(path))
	if rest, ours := strings.CutPrefix(path, imports["asyncio"]); ours {
		dir = filepath.Join(x.dir, filepath.FromSlash(rest))
	}
	names := exported(t, dir, path)
	if x.packages == nil {
		x.packages = map[string]map[string]bool{}
	}
	x.packages[path] = names
	return names
}

func exported(t *testing.T, dir, path string) map[string]bool {
	t.Helper()
	found, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Concat(found.GoFiles, found.CgoFiles) {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(fset, files, path)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			for _, n := range v.Names {
				names[n] = true
			}
		}
	}
	functions := func(prefix string, fs []*doc.Func) {
		for _, f := range fs {
			names[prefix+f.Name] = true
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	functions("", pkg.Funcs)
	for _, typ := range pkg.Types {
		names[typ.Name] = true
		values(typ.Consts)
		values(typ.Vars)
		functions("", typ.Funcs)
		functions(typ.Name+".", typ.Methods)
		members(typ, names)
	}
	return names
}

// members adds the fields of a struct and the methods of an interface.
func members(typ *doc.Type, names map[string]bool) {
	for _, spec := range typ.Decl.Specs {
		spec, ok := spec.(*ast.TypeSpec)
		if !ok || spec.Name.Name != typ.Name {
			continue
		}
		var list *ast.FieldList
		switch s := spec.Type.(type) {
		case *ast.StructType:
			list = s.Fields
		case *ast.InterfaceType:
			list = s.Methods
		default:
			continue
		}
		for _, f := range list.List {
			for _, n := range f.Names {
				names[typ.Name+"."+n.Name] = true
			}
		}
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	titles = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

func TestGuide_linksLeadSomewhere(t *testing.T) {
	dir := root(t)
	for _, file := range guide(t) {
		for _, m := range link.FindAllStringSubmatch(withoutBlocks(read(t, dir, file)), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := filepath.Join(filepath.Dir(file), filepath.FromSlash(target))
			if target == "" {
				path = file
			}
			if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
				t.Errorf("%s: the link to %s: %v", file, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, dir, path)), anchor) {
				t.Errorf("%s: the link to %s: no such heading", file, m[1])
			}
		}
	}
}

// anchors returns the headings of a text in the form in which links name them.
func anchors(text string) []string {
	var found []string
	for _, m := range titles.FindAllStringSubmatch(text, -1) {
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r >= 'A' && r <= 'Z':
				return r + 'a' - 'A'
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				return r
			case r == ' ':
				return '-'
			}
			return -1
		}, m[1]))
	}
	return found
}
