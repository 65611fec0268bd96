package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// needless are the examples of v7 that the one line is not tried on.
var needless = []string{
	"bench",  // programs of other frameworks
	"config", // reads its configuration with cfgo
}

// TestExamplesOfV7BuildAfterTheOneLine takes the line of docs/migrating.md for
// what it says, and v7's examples, which are its tests, from the module cache.
func TestExamplesOfV7BuildAfterTheOneLine(t *testing.T) {
	page, err := os.ReadFile("../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?s)```sh\n(grep -rl [^\n]*sed -i [^\n]*)\n```").FindSubmatch(page)
	if line == nil {
		t.Fatal("docs/migrating.md does not have the line")
	}
	dir := t.TempDir()
	copyExamples(t, dir)
	run(t, dir, "sh", "-c", string(line[1]))
	run(t, dir, "go", "vet", "-lostcancel=false", "./...") // which builds the tests too
}

// copyExamples makes a module of the examples, which uses our tree.
func copyExamples(t *testing.T, dir string) {
	t.Helper()
	v7 := strings.TrimSpace(run(t, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/andeya/erpc/v7"))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(v7, "examples"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range needless {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod = bytes.Replace(mod, []byte("module github.com/goerpc/erpc\n"), []byte("module programs\n"), 1)
	mod = append(mod, "\nrequire github.com/goerpc/erpc v0.0.0\nreplace github.com/goerpc/erpc => "+root+"\nrequire github.com/andeya/goutil v1.0.0\n"...)
	var sums []byte
	for _, name := range []string{"../go.sum", "go.sum"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, b...)
	}
	for name, b := range map[string][]byte{"go.mod": mod, "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a command in dir and returns what it writes.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
