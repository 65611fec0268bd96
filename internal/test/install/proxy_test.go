package install_test

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A proxy is a module proxy in a directory, with a module cache that is filled only
// from it.
type proxy struct {
	env []string
}

// newProxy returns a proxy of the published modules, at version v. Their
// dependencies come from this machine's download cache, or from its own proxy.
func newProxy(t *testing.T, v string) *proxy {
	t.Helper()
	dir, cache := t.TempDir(), t.TempDir()
	for sub, name := range published {
		at := filepath.Join(dir, filepath.FromSlash(name), "@v")
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		mod, err := os.ReadFile(filepath.Join(root, sub, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for file, data := range map[string][]byte{
			"list": []byte(v + "\n"), v + ".mod": mod, v + ".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, v),
		} {
			if err := os.WriteFile(filepath.Join(at, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := pack(t, filepath.Join(at, v+".zip"), filepath.Join(root, sub), name+"@"+v); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	here := strings.Split(strings.TrimSpace(string(out)), "\n")
	p := &proxy{env: append(os.Environ(),
		"GOWORK=off", "GOFLAGS=-mod=mod -modcacherw -trimpath -buildvcs=false", "GOMODCACHE="+cache,
		"GOPROXY=file://"+dir+",file://"+filepath.Join(here[0], "cache", "download")+","+here[1],
		"GOSUMDB=off", "GOPRIVATE=", "GONOPROXY=",
	)}
	return p
}

// run runs the go command in dir and returns its output.
func (p *proxy) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// files returns the files below dir, with slashes, except those that .gitignore names.
// modules says whether to include nested modules.
func files(t *testing.T, dir string, modules bool) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && slices.Contains([]string{".git", "bin", "tmp", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() && !modules:
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				return filepath.SkipDir
			}
		case d.Type().IsRegular() && d.Name() != ".git": // a file in a linked worktree
			all = append(all, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkout returns the files of the repository.
func checkout(t *testing.T) fs.FS {
	t.Helper()
	copied := fstest.MapFS{}
	for _, name := range files(t, root, true) {
		at := filepath.Join(root, filepath.FromSlash(name))
		data, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		copied[name] = &fstest.MapFile{Data: data, Mode: info.Mode()}
	}
	return copied
}

// pack writes the zip file of a module. prefix is its path and version.
func pack(t *testing.T, to, dir, prefix string) (err error) {
	t.Helper()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for _, name := range files(t, dir, false) {
		w, err := z.Create(prefix + "/" + name)
		if err != nil {
			return err
		}
		from, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, from)
		from.Close()
		if err != nil {
			return err
		}
	}
	return z.Close()
}
