package binder

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// However large a value is, an error quotes little of it, and is cheap to make.
func TestExcerptsAreBounded(t *testing.T) {
	large := strings.Repeat("é", 1<<20)
	nested := make([][]string, 1000)
	for i := range nested {
		nested[i] = []string{large, large, large}
	}
	for name, v := range map[string]any{
		"string": large, "bytes": []byte(large), "slice": make([]int, 1<<20), "strings": []string{large, large},
		"nested": nested, "map": map[string]string{large: large}, "struct": struct{ A string }{large}, "pointer": &large,
		"number": 1.5, "empty": []int{}, "invalid UTF-8": strings.Repeat("\xff", 1000), "nil": []string(nil),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := excerpt(reflect.ValueOf(v))
		runtime.ReadMemStats(&after)
		if len(got) > maxReason+len("…") || strings.Contains(name, "UTF-8") != !utf8.ValidString(got) {
			t.Errorf("%s: an excerpt of %d bytes: %.80q", name, len(got), got)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
	for v, want := range map[any]string{"abc": "abc", 7: "7", -1.5: "-1.5", [2]string{"a", "b"}: "[a b]", [5]int{1, 2, 3, 4, 5}: "[1 2 3 4…]"} {
		if got := excerpt(reflect.ValueOf(v)); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

// Whatever a validator says, only a bounded part of it reaches the caller and the
// log.
func TestReasonsAreBounded(t *testing.T) {
	b := NewStructArgsBinder(nil)
	st := (&violation{param: strings.Repeat("p", 1<<20), reason: strings.Repeat("r", 1<<20)}).status(b, "/m")
	if n := len(st.String()); n > 4*maxReason {
		t.Errorf("a status of %d bytes", n)
	}
}
