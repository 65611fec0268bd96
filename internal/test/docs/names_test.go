package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Every package has a comment, and so does every exported name of packages that
// others can import: constants, variables, types, functions and methods. Generated
// files are not checked.
func TestExportedNamesAreDocumented(t *testing.T) {
	packages := map[string]bool{} // directory → whether the package has a comment
	names := 0
	eachFile(t, func(path string) error {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if ast.IsGenerated(f) {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		packages[dir] = packages[dir] || f.Doc.Text() != ""
		if f.Name.Name == "main" || strings.Contains("/"+dir+"/", "/internal/") {
			return nil // it can't be imported
		}
		for _, d := range f.Decls {
			n, bare := undocumented(d)
			names += n
			for _, id := range bare {
				t.Errorf("%v: %s has no comment", fset.Position(id.Pos()), id.Name)
			}
		}
		return nil
	})
	for dir, documented := range packages {
		if !documented {
			t.Errorf("package %s has no comment", dir)
		}
	}
	if len(packages) < 40 || names < 500 {
		t.Errorf("only %d packages and %d names were looked at", len(packages), names)
	}
}

// undocumented returns how many names a declaration exports, and those without
// a comment.
func undocumented(d ast.Decl) (names int, bare []*ast.Ident) {
	check := func(id *ast.Ident, comments ...*ast.CommentGroup) {
		if !id.IsExported() {
			return
		}
		names++
		for _, c := range comments {
			if c.Text() != "" {
				return
			}
		}
		bare = append(bare, id)
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
			check(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if d.Lparen.IsValid() { // the group has the comment
					check(s.Name, s.Doc, s.Comment)
				} else {
					check(s.Name, d.Doc)
				}
			case *ast.ValueSpec:
				for _, id := range s.Names {
					check(id, d.Doc, s.Doc, s.Comment)
				}
			}
		}
	}
	return names, bare
}

// receiver returns the name of a receiver's type.
func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}
