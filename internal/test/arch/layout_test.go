package arch

import (
	"bufio"
	"os"
	"path"
	"strings"
	"testing"
)

const (
	maxRootEntries = 45 // a visitor sees them all on one page
	maxRootTests   = 8  // other tests of whole peers are in internal/test, by subject
)

func TestRootIsSmall(t *testing.T) {
	ignored := ignoredNames(t)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names, tests []string
	for _, e := range entries {
		switch {
		case e.Name() == ".git" || ignored(e.Name()):
			continue
		case strings.HasSuffix(e.Name(), "_test.go"):
			tests = append(tests, e.Name())
		}
		names = append(names, e.Name())
	}
	if len(names) < 20 {
		t.Fatalf("the root has %q: is this the root?", names)
	}
	if len(names) > maxRootEntries {
		t.Errorf("the root has %d entries, want at most %d; put new things into a folder: %q", len(names), maxRootEntries, names)
	}
	if len(tests) > maxRootTests {
		t.Errorf("the root has %d test files, want at most %d: %q", len(tests), maxRootTests, tests)
	}
}

// ignoredNames returns a function that reports whether .gitignore ignores a name
// in the root.
func ignoredNames(t *testing.T) func(name string) bool {
	f, err := os.Open(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	var patterns []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		patterns = append(patterns, strings.Trim(lines.Text(), "/"))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return func(name string) bool {
		for _, p := range patterns {
			if ok, err := path.Match(p, name); err != nil {
				t.Fatalf(".gitignore: %v", err)
			} else if ok {
				return true
			}
		}
		return false
	}
}
