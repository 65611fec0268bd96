package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

// protocCommand returns the command of docs/protobuf.md that runs protoc.
func protocCommand(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/protobuf.md")
	if err != nil {
		t.Fatal(err)
	}
	_, command, ok := strings.Cut(string(page), "\nprotoc -I ")
	command, _, end := strings.Cut(command, "\n```")
	if !ok || !end {
		t.Fatal("the page shows no protoc command")
	}
	return "protoc -I " + command
}

// pinned makes a module whose go.mod has erpc, from this directory, and the
// generator as a tool, and puts the .proto file of the example into it.
func pinned(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	proto, err := os.ReadFile(filepath.Join(example, "chat", "chat.proto"))
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(mod), "\nrequire (")
	requires, _, _ = strings.Cut(requires, "\ntool (")
	dir = t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/chat\n\ngo 1.26.0\n\nrequire github.com/goerpc/erpc v0.0.0\n\nrequire (" + requires +
			"\ntool github.com/goerpc/erpc/cmd/protoc-gen-erpc\n\nreplace github.com/goerpc/erpc => " + root + "\n",
		"go.sum":          string(sum),
		"chat/chat.proto": string(proto),
		"generator":       "#!/bin/sh\nexec go tool protoc-gen-erpc\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// protoc itself, called as in docs/protobuf.md, with the installed plugin and with
// the one of go tool, makes the committed code.
func TestProtoc(t *testing.T) {
	kit.Program(t, "protoc")
	bin, dir := t.TempDir(), pinned(t)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), ".", "google.golang.org/protobuf/cmd/protoc-gen-go")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	want, err := os.ReadFile(filepath.Join(example, "chat", "chaterpc", "chat_erpc.pb.go"))
	if err != nil {
		t.Fatal(err)
	}
	for how, command := range map[string]string{
		"installed": protocCommand(t),
		"go tool":   strings.Replace(protocCommand(t), "protoc ", "protoc --plugin=protoc-gen-erpc=./generator ", 1),
	} {
		generated := filepath.Join(dir, "chat", "chaterpc", "chat_erpc.pb.go")
		if err := os.RemoveAll(filepath.Dir(generated)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", how, err, out)
		}
		if got, err := os.ReadFile(generated); err != nil || string(got) != string(want) {
			t.Errorf("%s: the code differs from the committed code, %v\n%s", how, err, got)
		}
		if _, err := os.Stat(filepath.Join(dir, "chat", "chat.pb.go")); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}
