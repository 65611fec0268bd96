package docs

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

// wordings are phrases that readers stumble over, with what to write instead.
var wordings = []struct {
	wrong   *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\blest\b`), "so that no …"},
	{regexp.MustCompile(`(?i)\banew\b`), "again"},
	{regexp.MustCompile(`(?i)\bfor ever\b`), "forever"},
	{regexp.MustCompile(`(?i)\bof late\b`), "lately"},
	{regexp.MustCompile(`(?i)\bas if nothing had been\b`), "as if nothing had happened"},
	{regexp.MustCompile(`(?i)\b(first|second|last) \w+ but one\b`), "the second, the one before the last"},
	{regexp.MustCompile(`(?i)\bwithout that (any|a|an|the|some) `), "without a …, while no … "},
	{regexp.MustCompile(`(?i)(^|[.;:] )who (has|have|does|reads|writes|calls|waits|takes|wants|asks|sends|comes|gets|needs|knows|finds)\b[^?]*$`), "whoever, or what it is: the goroutine that, a caller that"},
	{regexp.MustCompile(`(?i)(\b(that|which|it|what|nil)|%[Tqsv]) (is|are) no (type|method|field|number|text|error|object|function|handler|hook|string|struct|slice|stream|message|session|address|connection|protocol)s?\b`), "is not a …"},
	{regexp.MustCompile(`(?i)\bthere is none that\b`), "none of them"},
	{regexp.MustCompile(`(?i)\bdear to (make|allocate)\b`), "expensive to"},
	{regexp.MustCompile(`(?i)\bis of no interest\b`), "does not matter"},
	{regexp.MustCompile(`(?i)\b\w+ bytes more\b`), "more bytes"},
	{regexp.MustCompile(`(?i)\bthe (next )?(read|write|client|server|reader|writer) (says|tells)$`), "the read reports it"},
	{regexp.MustCompile(`(?i)\b(that|which) (is|are) none\b`), "is not a …, invalid"},
	{regexp.MustCompile(`(?i)\b(an?|the) [a-z]+ (is|was) none\b`), "is not one, does not count"},
	{regexp.MustCompile(`(?i)\b(let|lets|is let|are let|was let|were let) pass\b`), "let through"},
	{regexp.MustCompile(`\bwant that (%\S+|it|a|an|the|nobody|changes) (is|are|was|were|has|have|left|joined)\b`), "want it to be …, want it to have …"},
	{regexp.MustCompile(`^(Test|Fuzz|Benchmark)\w+ (has|wants) `), "TestX: …, TestX checks that …"},
}

// wrongWording returns the first wrong phrase in text, and what to write instead.
func wrongWording(text string) (wrong, instead string) {
	text = strings.Join(strings.Fields(text), " ")
	for _, w := range wordings {
		if m := w.wrong.FindString(text); m != "" {
			return strings.TrimSpace(m), w.instead
		}
	}
	return "", ""
}

// Comments, texts of errors and logs, and pages are written in plain English.
func TestWordings(t *testing.T) {
	if kit.RaceEnabled {
		t.Skip("it has one goroutine, and takes ten times as long under the race detector; make guards runs it")
	}
	texts := 0
	check := func(at, text string) {
		texts++
		if wrong, instead := wrongWording(text); wrong != "" {
			t.Errorf("%s: %q; write %s", at, wrong, instead)
		}
	}
	eachFile(t, func(path string) error {
		switch {
		case strings.HasSuffix(path, ".md"):
			return paragraphs(path, check)
		case strings.HasSuffix(path, ".go") && path != filepath.Join("internal", "test", "docs", "prose_test.go"):
			return goTexts(path, check)
		}
		return nil
	})
	if texts < 10_000 {
		t.Errorf("only %d texts were found", texts)
	}
}

// goTexts calls check with each comment and string of a file.
func goTexts(path string, check func(at, text string)) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(f) {
		return nil
	}
	for _, c := range f.Comments {
		check(fset.Position(c.Pos()).String(), c.Text())
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				check(fset.Position(lit.Pos()).String(), text)
			}
		}
		return true
	})
	return nil
}

// paragraphs calls check with each line of a page, which is a paragraph, a row or
// an item of a list.
func paragraphs(path string, check func(at, text string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		check(path+":"+strconv.Itoa(n), lines.Text())
	}
	return lines.Err()
}

func TestWrongWording(t *testing.T) {
	for text, want := range map[string]string{
		"It takes it away, lest a child reads it.":   "lest",
		"the process is started\n// anew":            "anew",
		"its end is of no interest":                  "is of no interest",
		"there is room for n bytes more":             "n bytes more",
		"it was refused; the read\nsays":             "the read says",
		"the server says that it has gone":           "",
		"credits that are none":                      "that are none",
		"the one that is not one":                    "",
		"%d nodes: an observer is none":              "an observer is none",
		"three probes were let pass":                 "were let pass",
		"it lets calls pass":                         "",
		"%+v, want that %s joined":                   "want that %s joined",
		"want that of the context":                   "",
		"TestX has a handler wait.":                  "TestX has",
		"Nothing of TestX has changed.":              "",
		"goes on as if nothing had\nbeen":            "as if nothing had been",
		"the delay before the first attempt but one": "first attempt but one",
		"after 3 s without that any handler ends":    "without that any",
		"%T is no method of it":                      "%T is no method",
		"Who has a reply may call again.":            "Who has a reply may call again.",
		"Who calls?":                                 "", // a question
		"whoever has a reply may call again":         "",
		"There is no method of that name.":           "",
		"the one who has it":                         "",
		"a renewal, at the latest":                   "",
	} {
		if got, _ := wrongWording(text); got != want {
			t.Errorf("in %q it finds %q, want %q", text, got, want)
		}
	}
}

// A cell of a table is short enough to be read in its column; longer text has a
// section.
func TestTableCellsAreShort(t *testing.T) {
	const most = 44 // words
	for _, page := range pages {
		if page == "docs/v7-names.md" { // generated; its cells are lists
			continue
		}
		code := false
		err := paragraphs(page, func(at, line string) {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			if code || !strings.HasPrefix(line, "|") {
				return
			}
			for _, cell := range strings.Split(line, "|") {
				if n := len(strings.Fields(cell)); n > most {
					t.Errorf("%s: a cell of %d words, want at most %d: %.60s…", at, n, most, strings.TrimSpace(cell))
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
