package descriptors

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	erpcv1 "github.com/goerpc/erpc/protobuf/erpc/v1"
)

// Compile compiles .proto files. It looks for imports in dirs, by default the
// current directory, and in the directories of files outside of dirs. The files
// that come with protoc, and erpc/v1/erpc.proto, are built in.
func Compile(ctx context.Context, dirs []string, paths ...string) (*Set, error) {
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	sources := &protocompile.SourceResolver{ImportPaths: dirs}
	names := make([]string, len(paths))
	for i, path := range paths {
		dir, name := place(sources.ImportPaths, path)
		if dir != "" {
			sources.ImportPaths = append(sources.ImportPaths, dir)
		}
		names[i] = name
	}
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(protocompile.CompositeResolver{sources, protocompile.ResolverFunc(ours)}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := c.Compile(ctx, names...)
	if err != nil {
		return nil, err
	}
	files := new(protoregistry.Files)
	for _, f := range compiled {
		if err := register(files, f); err != nil {
			return nil, err
		}
	}
	return newSet(files), nil
}

// place returns the name of a file relative to one of the directories, or else
// the file's own directory and its name there.
func place(dirs []string, path string) (dir, name string) {
	for _, dir := range dirs {
		if filepath.IsAbs(dir) != filepath.IsAbs(path) {
			continue
		}
		if rel, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(rel, "..") {
			return "", filepath.ToSlash(rel)
		}
	}
	for _, dir := range dirs { // the path is already relative, as for protoc
		if _, err := os.Stat(filepath.Join(dir, path)); err == nil {
			return "", filepath.ToSlash(path)
		}
	}
	return filepath.Dir(path), filepath.Base(path)
}

// ours resolves erpc/v1/erpc.proto, whose message makes a method a push.
func ours(path string) (protocompile.SearchResult, error) {
	if path != erpcv1.File_erpc_v1_erpc_proto.Path() {
		return protocompile.SearchResult{}, protoregistry.NotFound
	}
	return protocompile.SearchResult{Proto: protodesc.ToFileDescriptorProto(erpcv1.File_erpc_v1_erpc_proto)}, nil
}

// register registers a file after its imports.
func register(files *protoregistry.Files, f protoreflect.FileDescriptor) error {
	if _, err := files.FindFileByPath(f.Path()); err == nil {
		return nil
	}
	for i := range f.Imports().Len() {
		if err := register(files, f.Imports().Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	return files.RegisterFile(f)
}
