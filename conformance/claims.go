package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// claim is one row or trap named by one comment.
type claim struct {
	id  string // of the row; "pitfall-22" for a trap
	pos string // file:line, relative to the root
	pkg string // import path
	// test is the test that the comment stands on or in ("" if none), with its
	// subtest when that is spelled out in the source: "TestLock/fair".
	test string
}

var claimComment = regexp.MustCompile(`^//\s*(?i:(conformance|pitfall)):(.*)$`)

// findClaims reads every test file of the module at root.
func findClaims(root string) ([]claim, error) {
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("conformance: %w (run it in the module's root, or give -root)", err)
	}
	module := modfile.ModulePath(gomod)
	var claims []claim
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != root && outsideOfModule(file) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		found, err := claimsInFile(file, name, path.Join(module, path.Dir(name)))
		claims = append(claims, found...)
		return err
	})
	return claims, err
}

// outsideOfModule reports whether the go command ignores the directory, too, or
// counts it to another module.
func outsideOfModule(dir string) bool {
	base := filepath.Base(dir)
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// claimsInFile returns the claims of one test file; name is what positions show.
func claimsInFile(file, name, pkg string) ([]claim, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	var claims []claim
	for _, group := range tree.Comments {
		for _, comment := range group.List {
			match := claimComment.FindStringSubmatch(comment.Text)
			if match == nil {
				continue
			}
			for _, id := range strings.FieldsFunc(match[2], func(r rune) bool { return r == ' ' || r == ',' }) {
				if strings.EqualFold(match[1], "pitfall") {
					id = "pitfall-" + id
				}
				claims = append(claims, claim{
					id:   id,
					pos:  fmt.Sprintf("%s:%d", name, fset.Position(comment.Pos()).Line),
					pkg:  pkg,
					test: testAt(fset, tree, group, comment),
				})
			}
		}
	}
	return claims, nil
}

// testAt names the test that a comment stands on or in.
func testAt(fset *token.FileSet, tree *ast.File, group *ast.CommentGroup, comment *ast.Comment) string {
	for _, decl := range tree.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !isTest(fn.Name.Name) {
			continue
		}
		if fn.Doc == group {
			return fn.Name.Name
		}
		if fn.Pos() <= comment.Pos() && comment.End() <= fn.End() {
			line := fset.Position(comment.Pos()).Line
			after := fset.Position(group.End()).Line + 1
			return fn.Name.Name + subtestAt(fset, fn, line, after)
		}
	}
	return ""
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example")
}

// subtestAt returns "/name" of the call t.Run("name", ...) that starts on one of the
// lines, or "" when there is none or its name is computed.
func subtestAt(fset *token.FileSet, fn *ast.FuncDecl, lines ...int) string {
	var name string
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		run, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || run.Sel.Name != "Run" {
			return true
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		start := fset.Position(call.Pos()).Line
		if !ok || literal.Kind != token.STRING || (start != lines[0] && start != lines[1]) {
			return true
		}
		if text, err := strconv.Unquote(literal.Value); err == nil {
			name = "/" + strings.ReplaceAll(text, " ", "_")
		}
		return true
	})
	return name
}
