package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	v7Module  = "github.com/andeya/erpc/v7"
	ourModule = "github.com/goerpc/erpc"
)

// A listed package is what go list says of one.
type listed struct {
	ImportPath string
	Name       string
	Dir        string
	GoFiles    []string
	Export     string // its export data; empty if it could not be built
}

// goList lists the packages of a pattern and what they import, as seen from dir.
// A package that can't be built, because a module of it is missing, has no export
// data.
func goList(dir, pattern string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-export", "-deps", "-json=ImportPath,Name,Dir,GoFiles,Export", pattern)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("v7names: go list %s in %s: %w\n%s", pattern, dir, err, stderr.Bytes())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("v7names: what go list says of %s: %w", pattern, err)
		}
		all = append(all, p)
	}
}

// load returns the packages of a module that programs can import, by their path
// below it. What it does not find of the packages that they import is passed over:
// it costs types, not names.
func load(dir, module string) (map[string]*types.Package, error) {
	all, err := goList(dir, module+"/...")
	if err != nil {
		return nil, err
	}
	export := map[string]string{}
	for _, p := range all {
		export[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if export[path] == "" {
			return nil, fmt.Errorf("v7names: no export data of %s", path)
		}
		return os.Open(export[path])
	})
	packages := map[string]*types.Package{}
	for _, p := range all {
		below, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok || p.Name == "main" || !isPublic(below) {
			continue
		}
		packages[strings.TrimPrefix(below, "/")], err = check(fset, p, from)
		if err != nil {
			return nil, err
		}
	}
	return packages, nil
}

// isPublic leaves out what no program imports: examples, tests and generated test
// services.
func isPublic(path string) bool {
	for _, part := range strings.Split(path, "/") {
		switch part {
		case "internal", "examples", "example", "bench", "gen-go", "testdata":
			return false
		}
	}
	return true
}

func check(fset *token.FileSet, p listed, from types.Importer) (*types.Package, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("v7names: %w", err)
		}
		files = append(files, f)
	}
	cfg := types.Config{Importer: from, IgnoreFuncBodies: true, Error: func(error) {}}
	pkg, _ := cfg.Check(p.ImportPath, fset, files, nil) // errors are of imports that are missing
	return pkg, nil
}
