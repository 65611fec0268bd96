package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The header of an if or a switch states a condition. Readers overlook side effects
// there, so an assignment to an outer variable, or a call, has its own line before
// it. Only new variables may be declared in the header.
func TestHeadersHaveNoEffects(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files++
		if ast.IsGenerated(f) {
			return nil
		}
		for _, pos := range effects(f) {
			t.Errorf("%v: an effect in the header; give it a line of its own", set.Position(pos))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 200 {
		t.Fatalf("%d files: is this the root?", files)
	}
}

// effects returns the positions of headers in f that do more than declare
// variables.
func effects(f *ast.File) (at []token.Pos) {
	ast.Inspect(f, func(n ast.Node) bool {
		var init ast.Stmt
		switch n := n.(type) {
		case *ast.IfStmt:
			init = n.Init
		case *ast.SwitchStmt:
			init = n.Init
		case *ast.TypeSwitchStmt:
			init = n.Init
		}
		if init == nil {
			return true
		}
		if a, ok := init.(*ast.AssignStmt); !ok || a.Tok != token.DEFINE {
			at = append(at, init.Pos())
		}
		return true
	})
	return at
}

func TestTheRuleOfHeadersItself(t *testing.T) {
	const src = `package p
func f(x int, g func() error) (err error) {
	if err := g(); err != nil { return err }
	switch y := x; y { }
	if err = g(); err != nil { return err }
	if x++; x > 1 { return nil }
	if g(); x > 1 { return nil } else if x = 2; x > 0 { return nil }
	switch x -= 1; { }
	switch g(); any(x).(type) { }
	for x = 0; x < 1; x++ { }
	return nil
}`
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, pos := range effects(f) {
		lines = append(lines, set.Position(pos).Line)
	}
	if want := []int{5, 6, 7, 7, 8, 9}; !slices.Equal(lines, want) {
		t.Errorf("effects on the lines %v, want %v", lines, want)
	}
}
