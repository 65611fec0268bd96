package xfer_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc/xfer"
)

func TestGet(t *testing.T) {
	byID, err := xfer.Get('a')
	if err != nil || byID != tag('a') {
		t.Errorf("Get: got %v, %v", byID, err)
	}
	byName, err := xfer.GetByName("tag a")
	if err != nil || byName != tag('a') {
		t.Errorf("GetByName: got %v, %v", byName, err)
	}
}

func TestGetUnknown(t *testing.T) {
	f, err := xfer.Get('?')
	if f != nil || !errors.Is(err, xfer.ErrUnknownFilter) || !strings.Contains(err.Error(), "id 63") {
		t.Errorf("Get: got %v, %v", f, err)
	}
	f, err = xfer.GetByName("who")
	if f != nil || !errors.Is(err, xfer.ErrUnknownFilter) || !strings.Contains(err.Error(), `"who"`) {
		t.Errorf("GetByName: got %v, %v", f, err)
	}
}

// uncomparable is a filter whose values cannot be compared with ==.
type uncomparable struct {
	tag
	_ []int
}

func TestRegMistakesPanic(t *testing.T) {
	var nilFilter *fake
	registered, err := xfer.Get('N')
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		f    xfer.XferFilter
		want string
	}{
		{"nil", nil, "got nil"},
		{"nil pointer", nilFilter, "got nil"},
		{"id taken", &fake{id: 'a', name: "other"}, `id 97 is taken by "tag a"`},
		{"name taken", &fake{id: '!', name: "tag a"}, "name is taken by id 97"},
		{"same id and name, another value", &fake{id: 'N', name: registered.Name()}, "taken"},
		{"not comparable", uncomparable{tag: 'a'}, "taken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.HasPrefix(v, "xfer: ") || !strings.Contains(v, tc.want) {
					t.Errorf("panicked with %q, want the prefix xfer: and %q", v, tc.want)
				}
			}()
			xfer.Reg(tc.f)
		})
	}
	// Failed attempts leave nothing behind.
	if f, err := xfer.Get('!'); err == nil {
		t.Errorf("a refused filter is registered: %v", f)
	}
	if f, err := xfer.GetByName("other"); err == nil {
		t.Errorf("a refused filter is registered: %v", f)
	}
	if f, _ := xfer.Get('N'); f != registered {
		t.Error("a refused filter replaced the registered one")
	}
}

func TestRegSameValueAgain(t *testing.T) {
	xfer.Reg(tag('a'))
	f, err := xfer.Get('N')
	if err != nil {
		t.Fatal(err)
	}
	xfer.Reg(f)
	if again, err := xfer.Get('N'); err != nil || again != f {
		t.Errorf("got %v, %v", again, err)
	}
}

// TestRegWhileReading is for the race detector: readers see complete filters, and
// no writer loses the filter of another.
func TestRegWhileReading(t *testing.T) {
	const first, writers, each = 200, 4, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				xfer.Reg(tag(first + w*each + i))
				if _, err := xfer.Get('a'); err != nil {
					t.Error(err)
				}
				if f, err := xfer.GetByName("tag b"); err != nil || f.ID() != 'b' {
					t.Error(f, err)
				}
			}
		})
	}
	wg.Wait()
	for id := first; id < first+writers*each; id++ {
		if f, err := xfer.Get(byte(id)); err != nil || f != tag(id) {
			t.Errorf("filter %d: got %v, %v", id, f, err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := xfer.Get('a'); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
