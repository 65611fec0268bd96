package behaviour

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPage checks docs/protocols.md: its matrix is that of the suite, and the tests
// that it names exist.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../../docs/protocols.md")
	if err != nil {
		t.Fatal(err)
	}
	head := "| protocol |"
	for _, on := range transports {
		head += " " + on.name + " |"
	}
	if !strings.Contains(string(text), head+"\n") {
		t.Errorf("the page lacks the line %q", head)
	}
	for _, p := range protocols {
		row := "| " + p.name + " |"
		for _, on := range transports {
			switch why := cannot(p, on); {
			case why == "":
				row += " ✓ |"
			case strings.Contains(string(text), "- a: "+why):
				row += " a |"
			case strings.Contains(string(text), "- b: "+why):
				row += " b |"
			default:
				t.Errorf("the page does not say: %s", why)
			}
		}
		if !strings.Contains(string(text), row+"\n") {
			t.Errorf("the page lacks the line %q", row)
		}
	}
	groups := regexp.MustCompile("`([a-z0-9/.]+)`: ((?:`Test\\w+`(?:, )?)+)").FindAllStringSubmatch(string(text)+"`internal/test/behaviour`: `TestMatrix`", -1)
	if len(groups) < 7 {
		t.Errorf("only %d packages with tests are named", len(groups))
	}
	for _, g := range groups {
		files, err := filepath.Glob("../../../" + g[1] + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(src)
		}
		for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(g[2], -1) {
			if !strings.Contains(all.String(), "\nfunc "+name+"(") {
				t.Errorf("%s has no %s", g[1], name)
			}
		}
	}
}
