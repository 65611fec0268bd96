package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

var update = flag.Bool("update", false, "write the generated code of the tests again, with protoc-gen-go beside it")

// gentest is the directory of the tests' packages. They are built and vetted with
// all others, so generated code always compiles.
const gentest = "internal/gentest"

// request compiles a .proto file as protoc does, and returns the request that
// protoc sends to its plugins.
func request(t *testing.T, sources protocompile.Resolver, file, parameter string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(sources), SourceInfoMode: protocompile.SourceInfoStandard}
	compiled, err := c.Compile(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	req := &pluginpb.CodeGeneratorRequest{FileToGenerate: []string{file}, Parameter: proto.String(parameter)}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(d protoreflect.FileDescriptor) {
		if seen[d.Path()] {
			return
		}
		seen[d.Path()] = true
		for i := range d.Imports().Len() {
			add(d.Imports().Get(i).FileDescriptor)
		}
		fd := protodesc.ToFileDescriptorProto(d)
		if r, ok := d.(interface {
			FileDescriptorProto() *descriptorpb.FileDescriptorProto
		}); ok {
			fd = r.FileDescriptorProto()
		}
		// Extensions and options of files use the types of protocompile.
		again, err := proto.Marshal(fd)
		if err != nil {
			t.Fatal(err)
		}
		plain := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(again, plain); err != nil {
			t.Fatal(err)
		}
		req.ProtoFile = append(req.ProtoFile, plain)
	}
	add(compiled[0])
	return req
}

// generated runs the plugin in this process.
func generated(t *testing.T, req *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	t.Helper()
	opts, suffix := options()
	plugin, err := opts.New(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := generate(plugin, *suffix); err != nil {
		return nil, err
	}
	return plugin.Response(), nil
}

// example is the directory of the package of examples/protobuf.
const example = "../../examples/protobuf"

var files = &protocompile.SourceResolver{ImportPaths: []string{gentest, "../../protobuf"}}

// The committed code is what the generator makes. With -update it is written.
func TestGeneratedCode(t *testing.T) {
	for _, c := range []struct{ dir, file, parameter string }{
		{gentest, "chat/chat.proto", ""},
		{gentest, "names/names.proto", ""},
		{gentest, "names/settings/settings.proto", ""}, // no service
		{gentest, "nopackage/nopackage.proto", ""},
		{gentest, "editions/editions.proto", ""},
		{gentest, "proto2/proto2.proto", ""},
		{gentest, "samepackage/samepackage.proto", ",package_suffix="},
		{example, "chat/chat.proto", ""},
	} {
		dir, file := c.dir, c.file
		t.Run(filepath.Join(dir, file), func(t *testing.T) {
			files := &protocompile.SourceResolver{ImportPaths: []string{dir, "../../protobuf"}}
			req := request(t, files, file, "paths=source_relative"+c.parameter)
			res, err := generated(t, req)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				runProtocGenGo(t, dir, request(t, files, file, "paths=source_relative"))
			}
			if (len(res.File) == 0) != strings.Contains(file, "settings") {
				t.Errorf("%d files", len(res.File))
			}
			for _, f := range res.File {
				compare(t, filepath.Join(dir, f.GetName()), f.GetContent())
			}
			if _, err := os.Stat(filepath.Join(dir, strings.TrimSuffix(file, ".proto")+".pb.go")); err != nil {
				t.Error(err)
			}
		})
	}
	if *update {
		runProtocGenGo(t, "../../protobuf", request(t, files, "erpc/v1/erpc.proto", "paths=source_relative"))
	}
}

// compare compares content with a file, or writes the file.
func compare(t *testing.T, path, content string) {
	t.Helper()
	if *update {
		write(t, path, content)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(content, "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("%s: line %d should be %q; run this test with -update and look at the difference", path, i+1, line)
		}
	}
	if content != string(want) {
		t.Fatalf("%s: the generator writes more lines; run this test with -update", path)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runProtocGenGo generates the code of the messages.
func runProtocGenGo(t *testing.T, dir string, req *pluginpb.CodeGeneratorRequest) {
	t.Helper()
	for _, f := range runPlugin(t, req, "go", "tool", "protoc-gen-go").File {
		write(t, filepath.Join(dir, f.GetName()), f.GetContent())
	}
}

// runPlugin runs a plugin of protoc in its own process.
func runPlugin(t *testing.T, req *pluginpb.CodeGeneratorRequest, command ...string) *pluginpb.CodeGeneratorResponse {
	t.Helper()
	in, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	res := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out, res); err != nil {
		t.Fatal(err)
	}
	if res.Error != nil {
		t.Fatal(res.GetError())
	}
	return res
}

// A file for which no code would compile is refused with an error that names it.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ body, parameter, says string }{
		"push with a stream":   {body: `service S { rpc M(stream A) returns (erpc.v1.NoReply); }`, says: "s.S.M: a push has one message"},
		"pushes as a stream":   {body: `service S { rpc M(A) returns (stream erpc.v1.NoReply); }`, says: "s.S.M: a push has one message"},
		"methods of one name":  {body: `service S { rpc get(A) returns (A); rpc Get(A) returns (A); }`, says: "s.S.get and s.S.Get would both be Get"},
		"services of one name": {body: `service s { } service S { }`, says: "service s.s and service s.S would both be SHandler"},
		"like another's":       {body: `service Foo { } service UnimplementedFoo { }`, says: "would both be UnimplementedFooHandler"},
		"like a message":       {body: `message SClient {} service S { }`, parameter: ",package_suffix=", says: "message s.SClient and service s.S"},
		"like an enum":         {body: `enum SClient { NONE = 0; } service S { }`, parameter: ",package_suffix=", says: "enum s.SClient and service s.S"},
		"suffix":               {body: `service S { }`, parameter: ",package_suffix=-x", says: "package_suffix=-x"},
	} {
		t.Run(name, func(t *testing.T) {
			source := `syntax = "proto3"; package s; import "erpc/v1/erpc.proto"; option go_package = "example.com/s"; message A {}` + c.body
			resolver := protocompile.CompositeResolver{
				&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"s.proto": source})}, files,
			}
			_, err := generated(t, request(t, resolver, "s.proto", "paths=source_relative"+c.parameter))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
		})
	}
}

// The program speaks the protocol of protoc's plugins, and accepts its options.
func TestProgramIsPlugin(t *testing.T) {
	program := filepath.Join(t.TempDir(), "protoc-gen-erpc")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	req := request(t, files, "chat/chat.proto", "module=github.com/goerpc/erpc/cmd/protoc-gen-erpc/"+gentest)
	res := runPlugin(t, req, program)
	if len(res.File) != 1 || res.GetSupportedFeatures() != 3 {
		t.Fatalf("%d files, features %d", len(res.File), res.GetSupportedFeatures())
	}
	compare(t, filepath.Join(gentest, res.File[0].GetName()), res.File[0].GetContent())
	out, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "protoc-gen-erpc ") {
		t.Errorf("--version prints %q, %v", out, err)
	}
}
