package docs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// pages are all pages of the project. Every code block in them is compiled or run,
// depending on its language.
var pages []string // set by TestMain

func allPages() (pages []string) {
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "bench/*.md", "interop/*.md", "clients/*/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			panic(err)
		}
		for _, page := range found {
			pages = append(pages, filepath.ToSlash(page))
		}
	}
	return pages
}

// TestPagesAreAll fails for a page that [allPages] does not find.
func TestPagesAreAll(t *testing.T) {
	eachFile(t, func(path string) error {
		if strings.HasSuffix(path, ".md") && !slices.Contains(pages, filepath.ToSlash(path)) {
			t.Errorf("%s is not among the pages whose code is checked", path)
		}
		return nil
	})
}

// eachFile calls f with each file of the project outside testdata.
func eachFile(t *testing.T, f func(path string) error) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case !d.IsDir():
			return f(path)
		case path != "." && strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "node_modules":
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A block is a fenced code block of a page.
type block struct {
	page, lang, text string
	line             int // of the fence
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// program reports whether a block of Go is a whole program.
func (b block) program() bool { return regexp.MustCompile(`(?m)^package main$`).MatchString(b.text) }

func readBlocks(t *testing.T, page string) (blocks []block) {
	t.Helper()
	open := -1
	var text []string
	for i, line := range strings.Split(readPage(t, page), "\n") {
		switch fence, isFence := strings.CutPrefix(line, "```"); {
		case isFence && open < 0:
			open, text = len(blocks), nil
			blocks = append(blocks, block{page: page, lang: fence, line: i + 1})
		case isFence:
			blocks[open].text = strings.Join(text, "\n") + "\n"
			open = -1
		case open >= 0:
			text = append(text, line)
		}
	}
	if open >= 0 {
		t.Fatalf("%v: the code block has no end", blocks[open])
	}
	return blocks
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goCommand runs the go tool and returns what it printed.
func goCommand(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // to compile everything on a busy machine
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// virtual is a set of files that the go tool sees in directories that do not
// exist.
type virtual struct {
	Replace  map[string]string // path in the tree → file
	dir      string
	packages []string
}

func newVirtual(t *testing.T) *virtual {
	return &virtual{Replace: map[string]string{}, dir: t.TempDir()}
}

// add adds a package that consists of the files, by name.
func (v *virtual) add(t *testing.T, files map[string]string) {
	t.Helper()
	pkg := filepath.Join("testdata", "pages", fmt.Sprintf("block%d", len(v.packages)+1))
	for name, src := range files {
		file := filepath.Join(v.dir, fmt.Sprintf("%d-%s", len(v.Replace), name))
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		at, err := filepath.Abs(filepath.Join(pkg, name))
		if err != nil {
			t.Fatal(err)
		}
		v.Replace[at] = file
	}
	v.packages = append(v.packages, "./"+filepath.ToSlash(pkg))
}

// noDebug leaves out what debuggers need, which takes the linker half of its time.
const noDebug = "-ldflags=-s -w"

// build runs a go command that builds the packages. The go tool can't run the
// results, because it would do so in the packages' directories.
func (v *virtual) build(t *testing.T, command ...string) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(v.dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	goCommand(t, slices.Concat(command, []string{"-overlay", list}, v.packages)...)
}

// source writes a block of Go to a file, with a line directive so that errors name
// its place in the page.
func (b block) source(t *testing.T) string {
	t.Helper()
	src := b.text
	if !b.program() {
		src = wholeProgram(t, b)
	}
	return fmt.Sprintf("//line %s:%d\n", b.page, b.line+1) + src
}

func TestPagesGoBlocksCompile(t *testing.T) {
	v := newVirtual(t)
	for _, page := range pages {
		for _, b := range readBlocks(t, page) {
			if b.lang == "go" {
				v.add(t, map[string]string{"main.go": b.source(t)})
			}
		}
	}
	if len(v.packages) < 10 {
		t.Fatalf("only %d blocks of Go found; were the fences changed?", len(v.packages))
	}
	v.build(t, "list", "-export", "-f", "{{.Name}}") // it compiles; "build" would also link, which takes a minute
}

// TestExtendingPartsKeepContracts runs the conformance suites on the codec, the
// filter and the protocol that docs/extending.md shows.
func TestExtendingPartsKeepContracts(t *testing.T) {
	v := newVirtual(t)
	for name, suite := range map[string]string{
		"type hexCodec struct": `import "github.com/goerpc/erpc/codec/codectest"
			func TestPart(t *testing.T) {
				codectest.Run(t, hexCodec{}, []codectest.Case{{
					Name: "text", Value: "a b", New: func() any { return new(string) },
					Golden: []byte("612062"), Bad: [][]byte{[]byte("6"), []byte("6x")},
				}})
			}`,
		"type deflate struct": `import "github.com/goerpc/erpc/xfer/xfertest"
			func TestPart(t *testing.T) { xfertest.Run(t, deflate{}) }`,
		"type line struct": `import "github.com/goerpc/erpc/proto/prototest"
			func TestPart(t *testing.T) { prototest.Run(t, NewLineProto, prototest.Options{}) }`,
	} {
		found := false
		for _, b := range readBlocks(t, "docs/extending.md") {
			if b.lang == "go" && strings.Contains(b.text, name) {
				found = true
				v.add(t, map[string]string{"main.go": b.source(t), "main_test.go": "package main; import \"testing\"; " + suite})
			}
		}
		if !found {
			t.Errorf("docs/extending.md has no block with %q", name)
		}
	}
	v.runTests(t)
}

// TestTestingPageRuns runs the tests that docs/testing.md shows.
func TestTestingPageRuns(t *testing.T) {
	v := newVirtual(t)
	for _, b := range readBlocks(t, "docs/testing.md") {
		if b.lang == "go" && strings.Contains(b.text, "\nfunc Test") {
			v.add(t, map[string]string{"page_test.go": b.source(t)})
		}
	}
	if len(v.packages) < 3 {
		t.Fatalf("only %d tests found", len(v.packages))
	}
	v.runTests(t)
}

// runTests builds the tests of the packages and runs them. Each package must have
// a test, and all must pass.
func (v *virtual) runTests(t *testing.T) {
	t.Helper()
	bin := t.TempDir()
	v.build(t, "test", "-c", "-vet=off", noDebug, "-o", bin+string(filepath.Separator))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, pkg := range v.packages {
		suite := filepath.Join(bin, filepath.Base(pkg)+".test")
		if runtime.GOOS == "windows" {
			suite += ".exe"
		}
		if out, err := exec.CommandContext(ctx, suite, "-test.v").CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: ") || !strings.HasSuffix(string(out), "PASS\n") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// imports are the packages that fragments may name.
var imports = []string{
	"bufio", "bytes", "compress/flate", "context", "crypto/hmac", "crypto/sha256", "encoding/base64", "encoding/hex", "errors", "fmt", "io", "log", "log/slog", "net", "net/http", "os", "strconv", "strings", "testing", "time", "go.uber.org/goleak",
	module, module + "/cluster", module + "/codec", module + "/codec/thriftcodec", module + "/proto", module + "/proto/rawproto", module + "/proto/thriftproto", module + "/message",
	module + "/socket", module + "/socket/all", module + "/socket/quic", module + "/xfer", module + "/xfer/gzip", module + "/xfer/md5", module + "/xfer/s2", module + "/xfer/zstd",
	module + "/examples/protobuf/chat", module + "/examples/protobuf/chat/chaterpc", module + "/plugin/acl", module + "/plugin/auth", module + "/plugin/dashboard", module + "/plugin/limit", module + "/plugin/reflect", module + "/plugin/retry", module + "/plugin/stats",
}

// wholeProgram makes a program from a fragment: declarations, or statements that
// may use ctx, peer and sess.
func wholeProgram(t *testing.T, b block) string {
	t.Helper()
	var head strings.Builder
	head.WriteString("package main; ")
	for _, path := range imports {
		name := path[strings.LastIndexByte(path, '/')+1:]
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(b.text) {
			fmt.Fprintf(&head, "import %q; ", path)
		}
	}
	const noMain = "\nfunc main() {}\n"
	decls := head.String() + b.text + noMain
	if _, err := parser.ParseFile(token.NewFileSet(), "", decls, 0); err == nil {
		return decls
	}
	more := ""
	for name, need := range map[string]string{"context": "context", "erpc": module} {
		if !strings.Contains(head.String(), fmt.Sprintf("%q", need)) {
			more += fmt.Sprintf("import %s %q; ", name, need)
		}
	}
	stmts := head.String() + more + "func _(ctx context.Context, peer erpc.Peer, sess erpc.Session) { {\n" + b.text + "} }" + noMain
	if _, err := parser.ParseFile(token.NewFileSet(), "", stmts, 0); err != nil {
		t.Fatalf("%v: neither declarations nor statements: %v", b, err)
	}
	return stmts
}

// TestReadmeSmallest runs the first two programs of the README against each
// other.
func TestReadmeSmallest(t *testing.T) {
	var programs []string
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range readBlocks(t, "README.md") {
		if b.lang != "go" || !b.program() {
			continue
		}
		src := filepath.Join(t.TempDir(), "main.go")
		// The port of the README may be in use on this machine.
		if err := os.WriteFile(src, []byte(strings.ReplaceAll(b.text, "9090", port)), 0o600); err != nil {
			t.Fatal(err)
		}
		exe := filepath.Join(filepath.Dir(src), "program.exe")
		goCommand(t, "build", noDebug, "-o", exe, src)
		programs = append(programs, exe)
	}
	if len(programs) != 2 {
		t.Fatalf("%d programs in the README, want the server and the client", len(programs))
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, programs[0])
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = server.Wait() // it was killed
	}()
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
	}
	go func() { _, _ = io.Copy(io.Discard, log) }() // until the server ends
	out, err := exec.CommandContext(ctx, programs[1]).CombinedOutput()
	if string(out) != "6\n" || err != nil {
		t.Errorf("the client printed %q, %v, want 6", out, err)
	}
}

// TestPagesCommands runs the commands of the pages. For commands that take long it
// only checks that the make target exists.
func TestPagesCommands(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed, so its commands cannot be tried: ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ran := false
	for _, page := range pages {
		for _, b := range readBlocks(t, page) {
			if b.lang != "sh" {
				continue
			}
			for command := range strings.Lines(b.text) {
				words := strings.Fields(command)
				if page == "docs/migrating.md" && words[0] == "grep" {
					continue // tested by interop on the examples of v7
				}
				if len(words) < 2 || words[0] != "make" {
					t.Errorf("%v: %q is not a make target, so nothing tests it", b, command)
					continue
				}
				if command != "make run\n" {
					if out, err := exec.CommandContext(ctx, "make", append([]string{"-n"}, words[1:]...)...).CombinedOutput(); err != nil {
						t.Errorf("%v: %s: %v\n%s", b, command, err, out)
					}
				} else if !ran {
					ran = true
					out, err := exec.CommandContext(ctx, "make", "run").CombinedOutput()
					if err != nil {
						t.Errorf("%v: make run: %v\n%s", b, err, out)
					}
					sample(t, string(out))
				}
			}
		}
	}
	if !ran {
		t.Error("no page says make run")
	}
}

// sample checks that the output that the README shows is printed.
func sample(t *testing.T, output string) {
	port := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	output = port.ReplaceAllString(output, "PORT")
	shown := 0
	for _, b := range readBlocks(t, "README.md") {
		if b.lang != "text" || strings.HasPrefix(b.text, "$ ") { // see TestReadmeCommandLine
			continue
		}
		for line := range strings.Lines(b.text) {
			shown++
			if !strings.Contains(output, port.ReplaceAllString(line, "PORT")) {
				t.Errorf("%v: make run does not print %q; it prints\n%s", b, line, output)
			}
		}
	}
	if shown < 5 {
		t.Errorf("the README shows %d lines of output", shown)
	}
}

// TestReadmeCommandLine: what the README shows of the command erpc is in
// docs/cli.md too, which TestPageIsTrue in cmd/erpc tests line by line.
func TestReadmeCommandLine(t *testing.T) {
	page := readPage(t, "docs/cli.md")
	var shown []string
	for _, b := range readBlocks(t, "README.md") {
		if b.lang == "text" && strings.HasPrefix(b.text, "$ ") {
			command, _, _ := strings.Cut(strings.TrimPrefix(b.text, "$ erpc "), " ")
			shown = append(shown, command)
			if !strings.Contains(page, b.text) {
				t.Errorf("%v: docs/cli.md does not have\n%s", b, b.text)
			}
		}
	}
	if !slices.Equal(shown, []string{"call", "list", "listen", "bench"}) {
		t.Errorf("the README shows the commands %q", shown)
	}
}

// TestReadmeProto: what the README shows of a .proto file is in docs/protobuf.md
// too, whose example is compiled and run.
func TestReadmeProto(t *testing.T) {
	page := readPage(t, "docs/protobuf.md")
	shown := 0
	for _, b := range readBlocks(t, "README.md") {
		if b.lang == "proto" {
			shown++
			if !strings.Contains(page, b.text) {
				t.Errorf("%v: docs/protobuf.md does not have\n%s", b, b.text)
			}
		}
	}
	if shown == 0 {
		t.Error("the README shows no .proto")
	}
}

func TestPagesConfigurationsLoad(t *testing.T) {
	loaded := 0
	for _, page := range pages {
		for _, b := range readBlocks(t, page) {
			if b.lang != "yaml" && b.lang != "ini" || page == "docs/cli.md" { // the one of erpc serve, see TestPageIsTrue in cmd/erpc
				continue
			}
			path := filepath.Join(t.TempDir(), "erpc."+b.lang)
			if err := os.WriteFile(path, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			section := regexp.MustCompile(`\w+`).FindString(b.text)
			var cfg erpc.PeerConfig
			if err := erpc.LoadConfig(path, section, &cfg); err != nil {
				t.Errorf("%v: %v", b, err)
			} else if err := cfg.Validate(); err != nil || reflect.ValueOf(cfg).IsZero() {
				t.Errorf("%v: loaded %+v, %v", b, cfg, err)
			}
			loaded++
		}
	}
	if loaded == 0 {
		t.Error("no page shows a configuration")
	}
}

// TestPagesBlocksAreChecked fails for a language that no test above knows.
func TestPagesBlocksAreChecked(t *testing.T) {
	for _, page := range pages {
		for _, b := range readBlocks(t, page) {
			switch {
			case b.lang == "go", b.lang == "sh", b.lang == "yaml", b.lang == "ini":
			case b.lang == "text" && page == "docs/cli.md": // see TestPageIsTrue in cmd/erpc
			case b.lang == "text" && (page == "README.md" || page == "docs/architecture.md"): // see sample; a drawing
			case b.lang == "text" && slices.Contains(guides, page): // see TestGuidesRun
			case b.lang == "proto" && page == "README.md": // see TestReadmeProto
			case b.lang == "proto" && page == "docs/protobuf.md": // see TestPageShowsThisExample in examples/protobuf
			case b.lang == "text" && page == "docs/wire.md": // layouts, see internal/test/wirepage
			case b.lang == "mermaid" && page == "docs/reliability.md": // see TestDiagramIsTheTable in session
			case b.lang == "diff" && (page == "docs/migrating.md" || page == "docs/extending.md"): // from erpc v7, which is not ours to compile
			case b.lang == "js" && page == "clients/js/README.md": // see TestReadmeParses there
			default:
				t.Errorf("%v: nothing compiles or runs a block of %q", b, b.lang)
			}
		}
	}
}

// TestPagesNameWhatExists checks links, packages and fields of the
// configuration.
func TestPagesNameWhatExists(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	pkg := regexp.MustCompile("`((?:bench|codec|docs|examples|interop|internal|message|peer|plugin|proto|router|session|socket|xfer)(?:/[a-z0-9_.]+)+)`")
	field := regexp.MustCompile(`PeerConfig\.(\w+)`)
	config := reflect.TypeFor[erpc.PeerConfig]()
	code := regexp.MustCompile("(?ms)^```.*?^```$")
	inline := regexp.MustCompile("`[^`\n]*`")
	for _, page := range pages {
		text := code.ReplaceAllString(readPage(t, page), "")
		for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(text, "``"), -1) {
			to := page
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", page, to, err)
			} else if m[2] != "" && !hasAnchor(t, to, m[2]) {
				t.Errorf("%s links to %s%s, and there is no such heading", page, m[1], m[2])
			}
		}
		for _, m := range pkg.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(m[1]); err != nil && m[1] != "docs/performance.md" { // written by make bench
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
		for _, m := range field.FindAllStringSubmatch(text, -1) {
			if _, ok := config.FieldByName(m[1]); !ok && page != "docs/v7-names.md" { // which has fields of v7
				t.Errorf("%s names PeerConfig.%s, which is not a field", page, m[1])
			}
		}
	}
}

// hasAnchor reports whether a page has a heading with that anchor.
func hasAnchor(t *testing.T, page, anchor string) bool {
	t.Helper()
	for line := range strings.Lines(readPage(t, page)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "#"); ok {
			title = strings.ToLower(strings.TrimSpace(strings.TrimLeft(title, "#")))
			title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, "")
			if "#"+strings.ReplaceAll(title, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}

// TestReadmeHasABenchSection: the benchmark writes between these marks.
func TestReadmeHasABenchSection(t *testing.T) {
	text := []byte(readPage(t, "README.md"))
	begin, end := bytes.Index(text, []byte("<!-- bench:begin -->\n")), bytes.Index(text, []byte("<!-- bench:end -->\n"))
	if begin < 0 || end < begin || bytes.Count(text, []byte("<!-- bench:")) != 2 {
		t.Errorf("bench section from %d to %d; there must be one, in this order", begin, end)
	}
}
