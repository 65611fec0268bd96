package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A repo is a copy of the repository with a history of one commit.
type repo struct {
	*testing.T
	dir string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	r := &repo{t, t.TempDir()}
	if err := os.CopyFS(r.dir, checkout(t)); err != nil {
		t.Fatal(err)
	}
	r.must("git", "init", "-q")
	r.must("git", "config", "user.name", "erpc")
	r.must("git", "config", "user.email", "erpc@example.com")
	r.commit()
	return r
}

func (r *repo) commit() {
	r.Helper()
	r.must("git", "add", "-A")
	r.must("git", "commit", "-q", "-m", "test")
}

func (r *repo) do(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(r.Context(), name, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath -buildvcs=false", "ERPC_INSTALL=quick", "GIT_CONFIG_GLOBAL="+os.DevNull)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r *repo) must(name string, args ...string) string {
	r.Helper()
	out, err := r.do(name, args...)
	if err != nil {
		r.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

// A release is one commit in which all modules require the root at its version, with
// a tag for each module. A release that is not ready is refused without changes.
func TestReleaseTagsEveryModule(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	const version = "v0.9.7"
	refused := func(why string, args ...string) {
		t.Helper()
		before := r.must("git", "rev-parse", "HEAD") + r.must("git", "status", "--porcelain")
		out, err := r.do(".ci/release", args...)
		if err == nil || !strings.Contains(out, why) {
			t.Errorf("release %q: %v, %q; want %q", args, err, out, why)
		}
		if after := r.must("git", "rev-parse", "HEAD") + r.must("git", "status", "--porcelain"); after != before || r.must("git", "tag") != "" {
			t.Errorf("release %q was refused and changed something", args)
		}
	}
	refused("is not vX.Y.Z")
	refused("is not vX.Y.Z", "0.9.7")
	refused("is not vX.Y.Z", "v2.0.0")
	refused("CHANGELOG.md has no", version)
	changes := filepath.Join(r.dir, "CHANGELOG.md")
	text, err := os.ReadFile(changes)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "## Unreleased", "## Unreleased\n\n## 0.9.7 - 2026-01-01", 1))
	if err := os.WriteFile(changes, text, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("commit or undo", version)
	r.commit()

	out := r.must(".ci/release", version)
	tags := []string{version, "cluster/nats/" + version, "plugin/otel/" + version}
	if want := "git push --atomic origin HEAD " + strings.Join(tags, " "); !strings.Contains(out, want) {
		t.Errorf("release says %q, want %q", out, want)
	}
	head := r.must("git", "rev-parse", "HEAD")
	for _, tag := range tags {
		if at := r.must("git", "rev-parse", tag+"^{commit}"); at != head {
			t.Errorf("tag %s is at %s, not at %s", tag, at, head)
		}
		if sub, ok := strings.CutSuffix(tag, "/"+version); ok {
			if mod := r.must("git", "show", tag+":"+sub+"/go.mod"); !strings.Contains(mod, path+" "+version+"\n") {
				t.Errorf("%s requires another version:\n%s", tag, mod)
			}
		}
	}
	if status := r.must("git", "status", "--porcelain"); status != "" {
		t.Errorf("the release leaves %q", status)
	}
	if out, err := r.do(".ci/release", version); err == nil || !strings.Contains(out, "is there already") {
		t.Errorf("a second release of %s: %v, %q", version, err, out)
	}
}
