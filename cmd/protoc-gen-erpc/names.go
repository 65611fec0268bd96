package main

import (
	"fmt"
	"go/token"
	"path"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

// names maps the identifiers that generated packages declare to what they stand
// for.
type names map[protogen.GoIdent]string

// declare adds an identifier. It returns an error if the package already has
// it, because the code would not compile; the error names both uses.
func (n names) declare(in protogen.GoImportPath, name, what string) error {
	ident := protogen.GoIdent{GoImportPath: in, GoName: name}
	if first, taken := n[ident]; taken && first != what {
		return fmt.Errorf("%s and %s would both be %s in Go; rename one of them", first, what, name)
	}
	n[ident] = what
	return nil
}

// declareService adds everything that the code of a service declares.
func (n names) declareService(in protogen.GoImportPath, s *protogen.Service) error {
	what := fmt.Sprintf("service %s", s.Desc.FullName())
	for _, pattern := range []string{"%sHandler", "%sClient", "%sBroadcaster", "Unimplemented%sHandler", "Register%s", "New%sClient", "New%sBroadcaster", "%sRepeatable"} {
		if err := n.declare(in, fmt.Sprintf(pattern, s.GoName), what); err != nil {
			return err
		}
	}
	methods := map[string]*protogen.Method{}
	for _, m := range s.Methods {
		if first := methods[m.GoName]; first != nil {
			return fmt.Errorf("%s and %s would both be %s in Go; rename one of them", first.Desc.FullName(), m.Desc.FullName(), m.GoName)
		}
		methods[m.GoName] = m
		if err := n.declare(in, methodConst(m), fmt.Sprintf("method %s", m.Desc.FullName())); err != nil {
			return err
		}
	}
	return nil
}

// declareMessages adds what protoc-gen-go declares for a file, for code in the
// same package.
func (n names) declareMessages(file *protogen.File) error {
	for _, m := range file.Messages {
		if err := n.declare(file.GoImportPath, m.GoIdent.GoName, fmt.Sprintf("message %s", m.Desc.FullName())); err != nil {
			return err
		}
	}
	for _, e := range file.Enums {
		if err := n.declare(file.GoImportPath, e.GoIdent.GoName, fmt.Sprintf("enum %s", e.Desc.FullName())); err != nil {
			return err
		}
	}
	return nil
}

// methodConst returns the name of the constant with the service method.
func methodConst(m *protogen.Method) string { return m.Parent.GoName + "_" + m.GoName + "_Method" }

// serviceMethod returns the name that a method has on the wire.
func serviceMethod(m *protogen.Method) string {
	return fmt.Sprintf("/%s/%s", m.Parent.Desc.FullName(), m.Desc.Name())
}

// A place is the package that the code of a file goes into.
type place struct {
	file string
	path protogen.GoImportPath
	name protogen.GoPackageName
}

// placeOf returns the package for a file's code: a package below that of the
// messages, or with an empty suffix the same package.
func placeOf(file *protogen.File, suffix string) (place, error) {
	if suffix == "" {
		return place{file.GeneratedFilenamePrefix + "_erpc.pb.go", file.GoImportPath, file.GoPackageName}, nil
	}
	name := string(file.GoPackageName) + suffix
	if !token.IsIdentifier(name) {
		return place{}, fmt.Errorf("package_suffix=%s: %q is not a valid Go package name", suffix, name)
	}
	dir, base := path.Split(file.GeneratedFilenamePrefix)
	return place{
		file: path.Join(dir, name, base) + "_erpc.pb.go",
		path: protogen.GoImportPath(path.Join(string(file.GoImportPath), name)),
		name: protogen.GoPackageName(name),
	}, nil
}

// locals chooses the parameter names of generated functions. A name that equals
// that of an imported package is changed, because it would hide the package.
type locals struct{ imported map[string]bool }

// see records the package of a qualified identifier.
func (l *locals) see(qualified string) {
	if l.imported == nil {
		l.imported = map[string]bool{}
	}
	if pkg, _, ok := strings.Cut(qualified, "."); ok {
		l.imported[pkg] = true
	}
}

// name returns the name to use for a parameter.
func (l *locals) name(want string) string {
	for l.imported[want] {
		want += "_"
	}
	return want
}
