package track

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestNamesAreBounded(t *testing.T) {
	var n Names
	if n.Of("/a", 0) != Other {
		t.Error("a name that nobody added was found")
	}
	n.add("/registered", 0)
	for _, tc := range []struct{ name, want string }{
		{"/registered", "/registered"}, {"/a", "/a"}, {"/b", Other}, {"/a", "/a"},
		{strings.Repeat("x", maxName+1), Other},
	} {
		if got := n.Of(tc.name, 2); got != tc.want {
			t.Errorf("%.20s is %.20s, want %s", tc.name, got, tc.want)
		}
	}
	var wg sync.WaitGroup
	var all Names
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				all.Of(fmt.Sprint(i, j), 100)
			}
		})
	}
	wg.Wait()
	if len(all.all) != 100 {
		t.Errorf("%d names, want 100", len(all.all))
	}
}
