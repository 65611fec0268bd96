// Package install_test installs erpc from outside the repository, as users do: the
// modules come as zip files from a module proxy that the test makes from the
// checkout, without go.work files and other directories.
package install_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

const (
	root = "../../.."
	path = "github.com/goerpc/erpc"
)

// published are the modules that users import, by directory. CONTRIBUTING.md says
// how they are released.
var published = map[string]string{
	"":             path,
	"plugin/otel":  path + "/plugin/otel",
	"cluster/nats": path + "/cluster/nats",
}

// A modFile is the output of go mod edit -json for a go.mod.
type modFile struct {
	Module  struct{ Path string }
	Require []struct{ Path, Version string }
	Replace []struct{ Old struct{ Path string } }
}

func readMod(t *testing.T, dir string) (m modFile) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", filepath.Join(root, dir, "go.mod")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// version returns the version of the root module that the modules require.
func version(t *testing.T) (v string) {
	t.Helper()
	for dir := range published {
		for _, r := range readMod(t, dir).Require {
			if r.Path != path {
				continue
			}
			if v != "" && v != r.Version {
				t.Fatalf("the modules require %s and %s of %s; all modules of a release come from one commit", v, r.Version, path)
			}
			v = r.Version
		}
	}
	return v
}

// A replace in a go.mod has no effect outside the repository, or breaks go install;
// and no proxy has a v0.0.0.
func TestRequirementsHoldOutside(t *testing.T) {
	for dir, name := range published {
		m := readMod(t, dir)
		if m.Module.Path != name {
			t.Errorf("%s has module %s, want %s", dir, m.Module.Path, name)
		}
		if len(m.Replace) > 0 {
			t.Errorf("%s/go.mod replaces %s: put that into go.work", dir, m.Replace[0].Old.Path)
		}
		for _, r := range m.Require {
			if r.Version == "v0.0.0" {
				t.Errorf("%s/go.mod requires %s v0.0.0, which does not exist", dir, r.Path)
			}
		}
	}
	if v := version(t); !strings.HasPrefix(v, "v") {
		t.Errorf("the modules require version %q of %s", v, path)
	}
}

// Every go.mod in the repository belongs to a module that users import or to one that
// is never released.
func TestEveryModuleIsKnown(t *testing.T) {
	var dirs []string
	for _, f := range files(t, root, true) {
		if filepath.Base(f) == "go.mod" {
			dirs = append(dirs, strings.TrimSuffix(strings.TrimSuffix(f, "go.mod"), "/"))
		}
	}
	for dir := range published {
		if !slices.Contains(dirs, dir) {
			t.Errorf("%s has no go.mod", dir)
		}
	}
	for _, dir := range dirs {
		first, _, _ := strings.Cut(dir, "/")
		if _, ok := published[dir]; !ok && first != "bench" && first != "interop" {
			t.Errorf("module %s: CONTRIBUTING.md does not say whether it is released", dir)
		}
	}
}

// A program in its own module gets the modules at their version, compiles, and
// works, with a NATS server in the process and Prometheus metrics. So do the
// commands, with go install. Without ERPC_INSTALL=full nothing is compiled.
func TestInstallFromOutside(t *testing.T) {
	t.Parallel()
	v := version(t)
	proxy := newProxy(t, v)
	dir := t.TempDir()
	program, err := os.ReadFile("testdata/outside.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	proxy.run(t, dir, "mod", "init", "example.com/outside")
	for _, name := range published {
		proxy.run(t, dir, "get", name+"@"+v)
	}
	proxy.run(t, dir, "list", "-deps", ".") // every package is in its module
	if strings.Contains(proxy.run(t, dir, "list", "-m", "all"), "=>") {
		t.Error("something is replaced")
	}
	if os.Getenv("ERPC_INSTALL") != "full" {
		t.Log("make test-install compiles it, too")
		return
	}
	bin := filepath.Join(dir, "outside")
	proxy.run(t, dir, "build", "-o", bin, ".")
	out, err := exec.CommandContext(t.Context(), bin).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "heard hello") {
		t.Errorf("the program ends with %v and says %q", err, out)
	}

	proxy.env = append(proxy.env, "GOBIN="+dir)
	for _, command := range []string{path + "/cmd/erpc", path + "/cmd/protoc-gen-erpc", path + "/cluster/nats/example"} {
		proxy.run(t, t.TempDir(), "install", command+"@"+v)
		if _, err := os.Stat(filepath.Join(dir, filepath.Base(command))); err != nil {
			t.Errorf("go install %s: %v", command, err)
		}
	}
}

func TestMain(m *testing.M) { kit.Main(m) }
