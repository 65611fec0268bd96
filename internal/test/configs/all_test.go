package configs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// root is the directory of the module.
const root = "../../.."

// elsewhere are directories whose configurations are not in whole.
var elsewhere = map[string]string{
	"bench": "a module that is not shipped", "interop": "a module that is not shipped",
	"cluster/nats": "a module that tests its own", "plugin/otel": "a module that tests its own",
	"cmd": "commands, which have flags", "examples": "programs, which test their own", "internal": "not for users",
	"peer": "erpc.PeerConfig is that of this package", "session": "made by package peer", "socket": "made by package peer",
	"erpctest": "for tests in Go", "proto/prototest": "for tests in Go", "socket/sockettest": "for tests in Go",
	"cluster/clustertest": "for tests in Go", "plugin/plugintest": "for tests in Go",
}

// TestWholeHasEveryConfiguration reads the code: each exported struct that is called a
// configuration or options, or has a field that a file can set, is in whole, so the tests
// above load and write it.
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
				if f.Tag.Get("yaml") != "-" {
					collect(f.Type)
				}
			}
		}
	}
	collect(reflect.TypeFor[whole]())
	found := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if d.Name() == "testdata" || file != "." && strings.HasPrefix(d.Name(), ".") || elsewhere[file] != "" && file != "socket" && file != "peer" {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || elsewhere[path.Dir(file)] != "":
			return nil
		}
		src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			called := strings.HasSuffix(spec.Name.Name, "Config") || strings.HasSuffix(spec.Name.Name, "Options")
			if s, ok := spec.Type.(*ast.StructType); ok && (called || hasKey(s)) {
				found++
				if name := path.Join("github.com/goerpc/erpc", path.Dir(file)) + "." + spec.Name.Name; !has[name] {
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
	if found < 30 {
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
