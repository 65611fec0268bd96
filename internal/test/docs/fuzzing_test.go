package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFuzzListIsComplete compares docs/fuzzing.md with the fuzz targets of the
// module.
func TestFuzzListIsComplete(t *testing.T) {
	doc, err := os.ReadFile("docs/fuzzing.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `(Fuzz\\w+)` \\| [^|]+ \\|$").FindAllStringSubmatch(string(doc), -1) {
		listed[row[1]+" "+row[2]] = true
	}
	there := map[string]bool{}
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)
	eachFile(t, func(path string) error {
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllStringSubmatch(string(src), -1) {
			there[filepath.ToSlash(filepath.Dir(path))+" "+m[1]] = true
		}
		return nil
	})
	if len(there) == 0 {
		t.Error("no fuzz target was found")
	}
	if !maps.Equal(there, listed) {
		for name := range there {
			if !listed[name] {
				t.Errorf("docs/fuzzing.md lacks %s", name)
			}
		}
		for name := range listed {
			if !there[name] {
				t.Errorf("docs/fuzzing.md lists %s, which is not there", name)
			}
		}
	}
}
