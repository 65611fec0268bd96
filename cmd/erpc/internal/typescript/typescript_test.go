package typescript

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	stdreflect "reflect"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/clients/js"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/reflect"
)

var update = flag.Bool("update", false, "write the golden file")

type node struct {
	Name     string           `json:"name"`
	Children []node           `json:"children"`
	Seen     map[string]uint8 `json:"seen"`
	At       time.Time        `json:"at"`
	Any      any              `json:"any"`
	In       struct{ Deep []*bool }
}

type from struct {
	From int `json:"from"`
}

type point struct{ X, Y int }

func method[A, R any](name, kind, doc string) reflect.Description {
	return reflect.Description{
		Method:    reflect.Method{Name: name, Kind: kind, Doc: doc},
		ArgSchema: reflect.SchemaOf(stdreflect.TypeFor[A](), false), ResultSchema: reflect.SchemaOf(stdreflect.TypeFor[R](), true),
	}
}

func methods() []reflect.Description {
	tree := method[struct{}, node]("/tree", reflect.Call, "")
	tree.ArgSchema = nil
	return []reflect.Description{
		method[[]int, int]("/math/add", reflect.Call, "adds numbers"),
		method[point, point]("/move", reflect.Call, ""),
		tree,
		method[node, node]("/tree/grow", reflect.Call, ""),
		method[string, struct{}]("/say", reflect.Push, "says */ alert()\nhello"),
		method[from, int]("/count", reflect.Stream, ""),
		method[int, int]("/later", "a kind of a later version", ""),
	}
}

func TestGolden(t *testing.T) {
	const golden = "testdata/methods.d.ts"
	got := Declarations(methods(), "./erpc.js")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("%v; written is\n%s", err, got)
	}
}

// The TypeScript compiler accepts the file, with the types of clients/js, and finds
// the mistakes of a program that uses it.
func TestTypesCompile(t *testing.T) {
	tsc := kit.Program(t, "tsc")
	dir := t.TempDir()
	use, err := os.ReadFile("testdata/use.ts")
	if err != nil {
		t.Fatal(err)
	}
	client, err := js.Files.ReadFile("erpc.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"use.ts": string(use), "erpc.d.ts": string(client), "methods.d.ts": Declarations(methods(), "./erpc.js")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "es2022", "--moduleResolution", "node", filepath.Join(dir, "use.ts"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Text of a stranger cannot break out of its place, and a definition that only has
// the name of another does not replace it.
func TestHostileDescriptions(t *testing.T) {
	evil := "*/ } evil(); \"`\n\u2028</script>"
	def := func(of string) *reflect.Schema {
		return &reflect.Schema{Ref: "#/$defs/x.T", Defs: map[string]*reflect.Schema{
			"x.T": {Type: "object", Properties: map[string]*reflect.Schema{"u": {Ref: "#/$defs/x.U"}}},
			"x.U": {Type: of},
		}}
	}
	text := Declarations([]reflect.Description{
		{Method: reflect.Method{Name: evil, Kind: reflect.Call, Doc: evil}, ArgSchema: &reflect.Schema{Ref: "#/$defs/" + evil, Defs: map[string]*reflect.Schema{
			evil: {Type: "object", Properties: map[string]*reflect.Schema{evil: {Enum: []string{evil}}, "next": {Ref: "#/$defs/" + evil}, "none": {Ref: "#/$defs/none"}}},
		}}},
		{Method: reflect.Method{Name: "/a", Kind: reflect.Call}, ResultSchema: def("string")},
		{Method: reflect.Method{Name: "/b", Kind: reflect.Call}, ResultSchema: def("number")},
		{Method: reflect.Method{Name: "/c", Kind: reflect.Call}, ResultSchema: def("number")},
	}, "x")
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "evil();") && !strings.Contains(line, `"*/ } evil(); \"`) && strings.Count(line, "*/") != 1 {
			t.Errorf("a line is %q", line)
		}
	}
	if strings.ContainsRune(text, 0x2028) || !strings.Contains(text, `"next"?: Evil`) || !strings.Contains(text, `"none"?: unknown`) {
		t.Errorf("written is %s", text)
	}
	for _, want := range []string{`"/a": { arg: null; result: T };`, `"/b": { arg: null; result: T2 };`, `"/c": { arg: null; result: T2 };`, "type U = string;", "type U2 = number;"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}
