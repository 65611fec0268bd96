package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAttacksNameTheirTests: each test that the page names for an attack exists.
func TestAttacksNameTheirTests(t *testing.T) {
	_, rest, ok := strings.Cut(readPage(t, "docs/reliability.md"), "| Class | Attack | Tests |\n")
	if !ok {
		t.Fatal("the page has no table of attacks")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	place := regexp.MustCompile("`([^`]+)`: ((?:`[^`]+`(?:, )?)+)")
	named := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.HasPrefix(cells[0], "---") {
			continue
		}
		found := place.FindAllStringSubmatch(cells[2], -1)
		if len(found) == 0 {
			t.Errorf("%q names no test", line)
		}
		for _, m := range found {
			known := testsIn(t, filepath.FromSlash(m[1]))
			for name := range strings.SplitSeq(m[2], "`, `") {
				if name = strings.Trim(name, "`, "); !known[name] {
					t.Errorf("%s has no test %q", m[1], name)
				}
				named++
			}
		}
	}
	if named < 30 {
		t.Errorf("the table names %d tests", named)
	}
}

// testsIn returns the names of the tests and fuzz targets in the files of a folder.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := addTests(names, file); err != nil {
			t.Fatal(err)
		}
	}
	scripts, err := filepath.Glob(filepath.Join(dir, "*.test.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range scripts {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^test\("([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
			names[m[1]] = true
		}
	}
	return names
}

var testDecl = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

// addTests adds the names of the tests and fuzz targets of a file.
func addTests(names map[string]bool, file string) error {
	text, err := os.ReadFile(file)
	for _, m := range testDecl.FindAllSubmatch(text, -1) {
		names[string(m[1])] = true
	}
	return err
}
