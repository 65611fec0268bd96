package js_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc/clients/js"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestTypes runs the TypeScript compiler on the types and a program that uses all
// of them.
func TestTypes(t *testing.T) {
	tsc := kit.Program(t, "tsc")
	cmd := exec.Command(tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "es2022", "testdata/types.ts")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTypesAreOfTheModule: what erpc.d.ts declares is what erpc.js has.
func TestTypesAreOfTheModule(t *testing.T) {
	code, types, streams := source(t, "erpc.js"), source(t, "erpc.d.ts"), source(t, "streams.js")
	exported := append(names(t, code, `(?m)^export (?:const|class|function) (\w+)`), names(t, code, `(?m)^export \{ (\w+) \}`)...)
	slices.Sort(exported)
	if says := names(t, types, `(?m)^export declare (?:const|class|function) (\w+)`); !slices.Equal(says, exported) {
		t.Errorf("exported are %q, declared %q", exported, says)
	}
	const property = `(?m)^    this\.(\w+) = `
	method, declared := `(?m)^  (?:async |get )?(\w+)\(.*\{`, `(?m)^  (?:readonly |private )?(\w+)[(:<]`
	for class, has := range map[string][]string{
		"Peer":        names(t, block(t, code, "class Peer "), method),
		"Stream":      names(t, block(t, streams, "class Stream "), method),
		"StatusError": append(names(t, block(t, code, "class StatusError "), method), names(t, block(t, code, "class StatusError "), property)...),
	} {
		has = slices.DeleteFunc(has, func(name string) bool { return name == "name" || strings.HasPrefix(name, "_") }) // every Error has the first; the others are for erpc.js
		slices.Sort(has)
		begin := "class " + class + " "
		if class == "Stream" {
			begin = "class Stream<" // it has parameters
		}
		if says := names(t, block(t, types, begin), declared); !slices.Equal(has, says) {
			t.Errorf("%s has %q, declared are %q", class, has, says)
		}
	}
	codes := `(\w+: \d+)[,;]`
	if has, says := names(t, block(t, code, "Code ="), codes), names(t, block(t, types, "Code:"), codes); !slices.Equal(has, says) {
		t.Errorf("the codes are %q, declared %q", has, says)
	}
}

func source(t *testing.T, name string) string {
	t.Helper()
	b, err := js.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block returns what begins with a text and ends with the first line that begins
// with a brace.
func block(t *testing.T, text, begin string) string {
	t.Helper()
	_, b, ok := strings.Cut(text, begin)
	b, _, end := strings.Cut(b, "\n}")
	if !ok || !end {
		t.Fatalf("there is no %q", begin)
	}
	return b
}

// names returns what the first group of an expression matches, sorted.
func names(t *testing.T, text, expression string) (found []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s finds nothing", expression)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
