//go:build unix

package cancelwalk_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unwalked are functions that look as if they waited, and why they have no walk.
var unwalked = map[string]string{
	"AdoptListener":            "does not wait",
	"Adopt":                    "does not wait",
	"Idle":                     "runs a function, see Serve",
	"ListenersFromEnvironment": "does not wait",
	"Listener.Clone":           "does not wait",
	"NewPacketConn":            "does not wait",
	"NewProtocolServer":        "does not wait",
	"NewServer":                "does not wait",
	"NewWriter":                "does not wait",
	"Writer.Write":             "never waits",
	"Writer.Writev":            "never waits",
	"Writer.WriteEOF":          "never waits",
	"Writer.WriteString":       "never waits",

	"PacketConn.WriteToUDPAddrPort":  "PacketConn.WriteTo with another type of address; UDP has room",
	"PacketConn.WriteMsgUDP":         "PacketConn.WriteMsg with another type of address; UDP has room",
	"PacketConn.WriteMsgUDPAddrPort": "PacketConn.WriteMsg with another type of address; UDP has room",

	"Chmod":           "one step, see Rename",
	"Chown":           "one step, see Rename",
	"Chtimes":         "one step, see Rename",
	"File.LinesLimit": "is what File.Lines calls",
	"Lchown":          "one step, see Rename",
	"Link":            "one step, see Rename",
	"Mkdir":           "one step, see Rename",
	"MkdirTemp":       "see CreateTemp",
	"NewPipe":         "does not wait",
	"OpenPTY":         "does not wait",
	"OpenPipe":        "does not wait",
	"Readlink":        "one step, see Stat",
	"SetThreadLimit":  "does not wait",
	"Stderr":          "does not wait",
	"Stdin":           "does not wait",
	"Stdout":          "does not wait",
	"Symlink":         "one step, see Rename",
	"Truncate":        "one step, see Rename",
}

// Every exported function that takes a context, or has the name of one that waits, has a walk. The name of a walk begins
// with the functions that it walks; how it does that comes after a colon.
func TestEachFunctionThatWaits_hasAWalk(t *testing.T) {
	for dir, walks := range map[string][]walk{
		"aionet":  slices.Concat(streams, names, packets, transports, servers),
		"aiofile": fileWalks,
		"aioexec": commands,
		"aiohttp": httpRequests,
		"aiosql":  statements,
	} {
		walked := map[string]bool{}
		for _, w := range walks {
			functions, _, _ := strings.Cut(w.name, ": ")
			for name := range strings.SplitSeq(functions, ", ") {
				walked[name] = true
			}
		}
		for _, name := range waiting(t, filepath.Join("../..", dir)) {
			if !walked[name] && unwalked[name] == "" {
				t.Errorf("%s.%s has no walk", dir, name)
			}
		}
	}
}

var waitingName = regexp.MustCompile(`^(Accept|Discard|Handshake|Lines|Peek|Read|Seek|Stat|Sync|Truncate|Write)([A-Z]|$)`)

// waiting returns the exported functions and methods of a package that may wait.
func waiting(t *testing.T, dir string) (names []string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no files: %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			of := receiver(f)
			if of != "" && !ast.IsExported(of) {
				continue
			}
			if takesContext(f) || of != "" && waitingName.MatchString(f.Name.Name) {
				names = append(names, strings.TrimPrefix(of+"."+f.Name.Name, "."))
			}
		}
	}
	return names
}

// receiver returns the name of the type whose method f is, or "".
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if p, ok := of.(*ast.StarExpr); ok {
		of = p.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

func takesContext(f *ast.FuncDecl) bool {
	params := f.Type.Params.List
	if len(params) == 0 {
		return false
	}
	typ, ok := params[0].Type.(*ast.SelectorExpr)
	return ok && typ.Sel.Name == "Context"
}
