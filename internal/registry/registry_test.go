package registry

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestAdd(t *testing.T) {
	var r Registry[string]
	for _, c := range []struct {
		id       byte
		name, v  string
		conflict string // with which value, and of what; empty: none
	}{
		{1, "one", "a", ""},
		{1, "one", "a", ""}, // the same once more
		{2, "two", "a", ""}, // the same value under another id
		{0, "", "zero", ""}, // callers decide which ids and names are allowed
		{255, "max", "z", ""},
		{1, "other", "b", "a id"},
		{3, "one", "b", "a name"},
		{1, "one", "b", "a id"},
		{1, "two", "a", "a id"}, // both are its own, but not together
	} {
		got := ""
		if conflict := r.Add(c.id, c.name, c.v, func(have string) bool { return have == c.v }); conflict != nil {
			got = conflict.Have + " id"
			if conflict.ByName {
				got = conflict.Have + " name"
			}
		}
		if got != c.conflict {
			t.Errorf("%d %q %q: conflict with %q, want %q", c.id, c.name, c.v, got, c.conflict)
		}
	}
	for _, c := range []struct {
		id   byte
		name string
		want string // empty: there is none
	}{{1, "one", "a"}, {2, "two", "a"}, {0, "", "zero"}, {255, "max", "z"}, {3, "other", ""}} {
		byID, ok1 := r.ByID(c.id)
		byName, ok2 := r.ByName(c.name)
		if has := c.want != ""; ok1 != has || ok2 != has || byID != c.want || byName != c.want {
			t.Errorf("%d %q: %q, %v; %q, %v; want %q", c.id, c.name, byID, ok1, byName, ok2, c.want)
		}
	}
}

func TestEmptyRegistry(t *testing.T) {
	var r Registry[int]
	if v, ok := r.ByID(0); ok || v != 0 {
		t.Errorf("%d, %v", v, ok)
	}
	if v, ok := r.ByName(""); ok || v != 0 {
		t.Errorf("%d, %v", v, ok)
	}
}

// Readers see each value under both of its keys or under neither, while others add
// values.
func TestReadersBesideWriters(t *testing.T) {
	var r Registry[string]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, i := range rand.Perm(256) {
				name := fmt.Sprint(i)
				if c := r.Add(byte(i), name, name, func(have string) bool { return have == name }); c != nil {
					t.Errorf("%s is taken by %s", name, c.Have)
				}
				if v, ok := r.ByName(name); !ok || v != name {
					t.Errorf("%s was added and is %q, %v", name, v, ok)
				}
			}
		})
		wg.Go(func() {
			for i := range 256 {
				byName, ok := r.ByName(fmt.Sprint(i))
				if byID, later := r.ByID(byte(i)); ok && (!later || byID != byName) {
					t.Errorf("%d is %q by name, then %q, %v by id", i, byName, byID, later)
				}
			}
		})
	}
	wg.Wait()
}

func TestReadingAllocatesNothing(t *testing.T) {
	var r Registry[fmt.Stringer]
	r.Add(7, "seven", nil, func(fmt.Stringer) bool { return false })
	if n := testing.AllocsPerRun(100, func() {
		r.ByID(7)
		r.ByID(8)
		r.ByName("seven")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIsNilAndSame(t *testing.T) {
	var none *int
	var empty fmt.Stringer
	one, other := new(int), new(int)
	for _, c := range []struct {
		v    any
		want bool
	}{{nil, true}, {none, true}, {empty, true}, {one, false}, {0, false}, {[]int(nil), false}} {
		if got := IsNil(c.v); got != c.want {
			t.Errorf("IsNil(%T %v) is %v", c.v, c.v, got)
		}
	}
	for _, c := range []struct {
		a, b any
		want bool
	}{{one, one, true}, {one, other, false}, {1, 1, true}, {1, int8(1), false}, {[]int{1}, []int{1}, false}, {1, []int{1}, false}, {struct{ f any }{[]int{}}, struct{ f any }{[]int{}}, false}} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%v, %v) is %v", c.a, c.b, got)
		}
	}
}
