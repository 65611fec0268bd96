package plugin_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TestWholeHasEveryConfiguration reads the code of the plugins: each exported struct with
// a field that a file can set is in whole, so the tests above load and write it.
func TestWholeHasEveryConfiguration(t *testing.T) {
	has := map[string]bool{}
	var collect func(typ reflect.Type)
	collect = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			collect(typ.Elem())
		case reflect.Struct:
			has[typ.PkgPath()+"."+typ.Name()] = true
			for f := range typ.Fields() {
				collect(f.Type)
			}
		}
	}
	collect(reflect.TypeFor[whole]())
	found := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "otel": // a module of its own, which tests its own
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok && hasKey(s) {
				found++
				if name := path.Join("github.com/goerpc/erpc/plugin", filepath.ToSlash(filepath.Dir(file))) + "." + spec.Name.Name; !has[name] {
					t.Errorf("whole has no %s", name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 15 {
		t.Errorf("only %d were found", found)
	}
}

// hasKey reports whether a field has a tag that names a key of a file.
func hasKey(s *ast.StructType) bool {
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		text, err := strconv.Unquote(f.Tag.Value)
		if key := reflect.StructTag(text).Get("yaml"); err == nil && key != "" && key != "-" {
			return true
		}
	}
	return false
}
