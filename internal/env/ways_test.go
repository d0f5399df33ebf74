package env_test

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ways lists the ways past the environment that there are, each with the reason why it may be: the file, what it uses
// (a package's path and the name, or "go" for a go statement), the reason.
//
//go:embed ways.txt
var ways string

// elsewhere are the packages that may go past the environment: those that are it, those that use only the public
// packages, as other programs do, and what is there for tests, measurements and the documentation.
var elsewhere = regexp.MustCompile(`^(internal/(env|pipe|poller|standin|coro|leakcheck|cancelwalk|conntest|faultproxy|testcert)|crawl|cmd|conformance|bench|examples|docs|\.)(/|$)`)

func TestPackages_getEverythingFromOutsideThroughTheEnvironment(t *testing.T) {
	allowed := allowList(t)
	root := filepath.Join("..", "..")
	found, files := map[string]token.Position{}, 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && rel != "." && (elsewhere.MatchString(rel) || d.Name() == "testdata" || otherModule(name)):
			return filepath.SkipDir
		case d.IsDir() || path.Ext(rel) != ".go" || strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		files++
		return waysPast(name, func(way string, at token.Position) {
			if at.Filename = rel; found[rel+" "+way].Line == 0 {
				found[rel+" "+way] = at
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 || len(found) == 0 {
		t.Fatalf("the walk came to %d files and %d ways; where has the module gone?", files, len(found))
	}
	for _, way := range slices.Sorted(maps.Keys(found)) {
		if allowed[way] == "" {
			_, what, _ := strings.Cut(way, " ")
			t.Errorf("%v: %s goes past the environment of the loop, so a simulation cannot stand in for it: "+
				"use engine.Loop.Env, or give the reason in ways.txt", found[way], what)
		}
	}
	for _, way := range slices.Sorted(maps.Keys(allowed)) {
		if found[way].Line == 0 {
			t.Errorf("ways.txt allows %q, which is not there any more: take it out", way)
		}
	}
}

func TestWalk_findsEachKindOfWay(t *testing.T) {
	const source = `package p

import (
	clock "time"
	"math/rand/v2"
	"net"
	"os"
	"context"
	"golang.org/x/sys/unix"
)

type os2 struct{ Open func() }

func f(ctx context.Context, r *rand.Rand, addr net.Addr, f *os.File) (clock.Duration, error) {
	go f.Close()
	os.Open("x")
	_ = net.Dialer{}
	clock.Now()
	_ = rand.N(7)
	context.WithTimeout(ctx, clock.Second)
	read := unix.Read
	_ = unix.O_RDONLY
	{
		os := os2{}
		os.Open()
	}
	return clock.Second, os.ErrExist
}
`
	name := filepath.Join(t.TempDir(), "f.go")
	if err := os.WriteFile(name, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := waysPast(name, func(way string, _ token.Position) { got = append(got, way) }); err != nil {
		t.Fatal(err)
	}
	want := []string{"go", "os.Open", "net.Dialer", "time.Now", "math/rand/v2.N", "context.WithTimeout", "golang.org/x/sys/unix.Read"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func allowList(t *testing.T) map[string]string {
	allowed := map[string]string{}
	for i, line := range strings.Split(ways, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.SplitN(line, " ", 3)
		if len(fields) < 3 || strings.TrimSpace(fields[2]) == "" {
			t.Errorf("ways.txt:%d: want a file, what it uses and the reason, have %q", i+1, line)
			continue
		}
		way := fields[0] + " " + fields[1]
		if allowed[way] != "" {
			t.Errorf("ways.txt:%d: %s twice", i+1, way)
		}
		allowed[way] = fields[2]
	}
	return allowed
}

func otherModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// waysPast calls found for each go statement, and each use of what asks the system, in a file.
func waysPast(name string, found func(way string, at token.Position)) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, 0)
	if err != nil {
		return err
	}
	imports := map[string]string{}
	for _, spec := range file.Imports {
		of, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		as := path.Base(strings.TrimSuffix(of, "/v2"))
		if spec.Name != nil {
			as = spec.Name.Name
		}
		if as == "." && asks(of, "") {
			return fmt.Errorf("%s: a dot import of %s", name, of)
		}
		imports[as] = of
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found("go", fset.Position(n.Pos()))
		case *ast.SelectorExpr:
			// An identifier that the file resolves is a variable that hides the package.
			if x, ok := n.X.(*ast.Ident); ok && x.Obj == nil && asks(imports[x.Name], n.Sel.Name) {
				found(imports[x.Name]+"."+n.Sel.Name, fset.Position(n.Pos()))
			}
		}
		return true
	})
	return nil
}

// asking says for each package what of it asks the system, or all but what does not.
var asking = map[string]struct{ names, not *regexp.Regexp }{
	"time":         {names: whole(`Now|Since|Until|After|AfterFunc|NewTimer|NewTicker|Tick|Sleep|Local|LoadLocation`)},
	"context":      {names: whole(`WithTimeout|WithTimeoutCause|WithDeadline|WithDeadlineCause|AfterFunc`)},
	"math/rand":    {not: whole(`Rand`)},
	"math/rand/v2": {not: whole(`Rand`)},
	"crypto/rand":  {not: whole(`-`)},
	"net": {names: whole(`Dial.*|Listen.*|Lookup.*|Resolve.*Addr|DefaultResolver|Interface(s|By.*|Addrs)|` +
		`File(Conn|Listener|PacketConn)`), not: whole(`Listener`)},
	"net/http":              {names: whole(`DefaultClient|DefaultTransport|Get|Head|Post|PostForm|ListenAndServe.*|Dir|ProxyFromEnvironment`)},
	"crypto/tls":            {names: whole(`Dial.*|Listen|LoadX509KeyPair`)},
	"crypto/x509":           {names: whole(`SystemCertPool`)},
	"mime":                  {names: whole(`TypeByExtension|ExtensionsByType`)},
	"os/user":               {not: whole(`User|Group|Unknown.*`)},
	"os":                    {not: whole(`File(Info|Mode)?|DirEntry|(Path|Link|Syscall)Error|NewSyscallError|Err.*|O_.*|Mode.*|Signal|Interrupt|Kill|Process|ProcessState|SameFile|Is.*|DevNull`)},
	"os/exec":               {not: whole(`Error|ExitError|Err.*`)},
	"os/signal":             {not: whole(`-`)},
	"github.com/creack/pty": {names: whole(`Open|Start.*`)},
	"io/ioutil":             {not: whole(`Discard|NopCloser|ReadAll`)},
	"path/filepath":         {names: whole(`Walk|WalkDir|Glob|EvalSymlinks|Abs`)},

	// Constants are in capitals.
	"syscall":                  {not: whole(`[A-Z0-9_]+|Errno|Signal|Conn|RawConn|SysProcAttr|Handle|.*_t`)},
	"golang.org/x/sys/unix":    {not: whole(`[A-Z0-9_]+|Errno|Signal|PollFd|OpenHow|Sockaddr.*|.*_t`)},
	"golang.org/x/sys/windows": {not: whole(`[A-Z0-9_]+|Errno|Handle|Overlapped`)},
}

func whole(names string) *regexp.Regexp { return regexp.MustCompile(`^(` + names + `)$`) }

// asks reports whether a name of a package asks the system; "" stands for any.
func asks(of, name string) bool {
	a, ok := asking[of]
	return ok && (name == "" || (a.names == nil || a.names.MatchString(name)) && (a.not == nil || !a.not.MatchString(name)))
}
