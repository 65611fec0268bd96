package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxMethodFiles is how many files the methods of one type of session may lie in. A
// type that needs more does too much: take a unit out of it, with tests of its own.
const maxMethodFiles = 3

func TestMethodsOfSessionLieTogether(t *testing.T) {
	files, err := filepath.Glob("session/*.go")
	if err != nil {
		t.Fatal(err)
	}
	src := map[string]string{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		src[path] = string(b)
	}
	lie := methodFiles(t, src)
	if len(lie["Engine"]) == 0 || len(lie["conn"]) == 0 {
		t.Fatal("Engine and conn have no methods: is this the session?")
	}
	for name, in := range lie {
		if len(in) > maxMethodFiles {
			t.Errorf("the methods of %s lie in %d files, want at most %d: %q", name, len(in), maxMethodFiles, in)
		}
	}
}

// Methods of pointers, values and generic types count. The methods of an alias, or of a
// type defined as another one of the package, count for that other type.
func TestFilesOfMethodsAreFound(t *testing.T) {
	lie := methodFiles(t, map[string]string{
		"a.go": "package p\ntype T struct{}\nfunc (t *T) a() {}\nfunc (t *T) b() {}\nfunc f(t *T) {}",
		"b.go": "package p\ntype U T\nfunc (U) c() {}\ntype V = U\nfunc (*V) d() {}\ntype N int\nfunc (N) e() {}",
		"c.go": "package p\ntype G[A, B any] struct{ *T }\nfunc (g *G[A, B]) f() {}\ntype I interface{ g() }",
	})
	want := map[string][]string{"T": {"a.go", "b.go"}, "N": {"b.go"}, "G": {"c.go"}}
	for name, in := range lie {
		if !slices.Equal(in, want[name]) {
			t.Errorf("the methods of %s lie in %q, want %q", name, in, want[name])
		}
	}
	if len(lie) != len(want) {
		t.Errorf("types with methods: %v, want %v", lie, want)
	}
}

// methodFiles returns, for each type that src declares, the files with its methods,
// sorted. The keys of src are the names of files.
func methodFiles(t *testing.T, src map[string]string) map[string][]string {
	under := map[string]string{} // from a type to the one it is an alias of, or is defined as
	methods := map[string][]string{}
	for path, text := range src {
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil {
					name := typeName(d.Recv.List[0].Type)
					methods[name] = append(methods[name], path)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && typeName(ts.Type) != "" {
						under[ts.Name.Name] = typeName(ts.Type)
					}
				}
			}
		}
	}
	declared := func(name string) string { // follows under to the last type of the package
		for {
			of, ok := under[name]
			_, ours := under[of]
			if !ok || !ours && methods[of] == nil { // of is built in, or of another package
				return name
			}
			name = of
		}
	}
	lie := map[string][]string{}
	for name, in := range methods {
		of := declared(name)
		lie[of] = append(lie[of], in...)
	}
	for name, in := range lie {
		slices.Sort(in)
		lie[name] = slices.Compact(in)
	}
	return lie
}

// typeName returns the name of the type in e, without pointer and type arguments; ""
// if it has none.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	}
	return ""
}
