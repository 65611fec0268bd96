package js_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/kit"
)

// TestPack lets npm pack what would be published.
func TestPack(t *testing.T) {
	npm := kit.Program(t, "npm")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "pack", "--dry-run", "--json", "--offline", "--ignore-scripts")
	cmd.Env = append(os.Environ(), "npm_config_cache="+t.TempDir(), "npm_config_update_notifier=false")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var packs []struct {
		Name  string
		Files []struct{ Path string }
	}
	if err := json.Unmarshal(out, &packs); err != nil || len(packs) != 1 {
		t.Fatalf("npm says %s, %v", out, err)
	}
	var files []string
	for _, f := range packs[0].Files {
		files = append(files, f.Path)
	}
	slices.Sort(files)
	if want := []string{"README.md", "erpc.d.ts", "erpc.js", "package.json", "rooms.d.ts", "rooms.js", "streams.js"}; packs[0].Name != "@goerpc/erpc" || !slices.Equal(files, want) {
		t.Errorf("%s has %q, want %q", packs[0].Name, files, want)
	}
}

// TestPackageNamesItsFiles checks, without npm, that each entry point and its types, and
// the modules that these import, are among the files.
func TestPackageNamesItsFiles(t *testing.T) {
	b, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Type, Main, Types, License string
		Files                      []string
		Exports                    map[string]struct{ Types, Default string }
	}
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if p.Type != "module" || p.License != "MIT" {
		t.Errorf("type %q, license %q", p.Type, p.License)
	}
	if at := p.Exports["."]; at.Default != p.Main || at.Types != p.Types {
		t.Errorf("the entry point is %+v, and main %q with types %q", at, p.Main, p.Types)
	}
	entries := []string{p.Main, p.Types}
	for name, at := range p.Exports {
		if strings.TrimSuffix(at.Types, ".d.ts") != strings.TrimSuffix(at.Default, ".js") {
			t.Errorf("%s has the code %q and the types %q", name, at.Default, at.Types)
		}
		entries = append(entries, at.Default, at.Types)
	}
	for _, entry := range entries {
		if file, ok := strings.CutPrefix(entry, "./"); !ok || !slices.Contains(p.Files, file) {
			t.Errorf("the entry point %q is not among the files", entry)
		}
	}
	imported := regexp.MustCompile(`(?m)^(?:import|export)[^"\n]* from "\./([^"]+)"`)
	found := 0
	for _, name := range p.Files {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("the package has a file that is not there: %v", err)
		}
		if strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range imported.FindAllStringSubmatch(string(code), -1) {
			found++
			file := m[1]
			if strings.HasSuffix(name, ".d.ts") {
				file = strings.TrimSuffix(file, ".js") + ".d.ts"
			}
			if !slices.Contains(p.Files, file) {
				t.Errorf("%s imports %q, which is not among the files", name, file)
			}
		}
	}
	if found == 0 {
		t.Error("no import was found")
	}
}

// TestReadmeParses checks that Node.js can parse the blocks of README.md.
func TestReadmeParses(t *testing.T) {
	node := kit.Program(t, "node")
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, part := range strings.Split(string(b), "```js\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		n++
		file := filepath.Join(t.TempDir(), "block.mjs")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), node, "--check", file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if n == 0 {
		t.Error("there is none")
	}
}
