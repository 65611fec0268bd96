package lookup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// A fake is a candidate without a server.
type fake struct {
	inst Instance
	busy int
}

func (f *fake) Instance() Instance { return f.inst }
func (f *fake) InFlight() int      { return f.busy }

// fakes are candidates a, b, c and so on with weights.
func fakes(weights ...int) (all []Candidate) {
	for i, w := range weights {
		all = append(all, &fake{inst: Instance{Address: string(rune('a' + i)), Weight: w}})
	}
	return all
}

func TestRoundRobinSpreadsByWeight(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "aaa"},
		{[]int{1, 1, 1}, "abcabc"},
		{[]int{5, 1, 1}, "aabacaa"}, // not aaaaabc
		{[]int{0, -1}, "abab"},
	} {
		p, got := RoundRobin(), ""
		for range c.want {
			all := fakes(c.weights...)
			got += all[p.Pick(all, "")].Instance().Address
		}
		if got != c.want {
			t.Errorf("weights %v: %s, want %s", c.weights, got, c.want)
		}
	}
}

func TestRoundRobinForgetsInstancesThatAreGone(t *testing.T) {
	p := RoundRobin().(*roundRobin)
	for i := range 1000 {
		p.Pick([]Candidate{&fake{inst: Instance{Address: fmt.Sprint(i)}}}, "")
	}
	if n := len(p.current); n > 3 {
		t.Errorf("%d instances are remembered", n)
	}
}

func TestLeastLoadedPicksWhoeverHasLessToDo(t *testing.T) {
	all := fakes(1, 1)
	all[0].(*fake).busy = 3
	for range 100 {
		if LeastLoaded().Pick(all, "") != 1 {
			t.Fatal("the busy one was picked")
		}
	}
	all = fakes(10, 1)
	all[0].(*fake).busy, all[1].(*fake).busy = 5, 1
	for range 100 {
		if LeastLoaded().Pick(all, "") != 0 {
			t.Fatal("weight 10 with 5 calls has less to do than weight 1 with one")
		}
	}
}

// Each pick is followed by a call to it, so the load follows the weights.
func TestLeastLoadedSpreadsByWeight(t *testing.T) {
	all := fakes(3, 1, 1, 1)
	for range 6000 {
		all[LeastLoaded().Pick(all, "")].(*fake).busy++
	}
	for i, want := range []int{3000, 1000, 1000, 1000} {
		if got := all[i].InFlight(); got < want*9/10 || got > want*11/10 {
			t.Errorf("instance %d got %d, want about %d", i, got, want)
		}
	}
}

// The hash chooses the same in every process and in every release: a change would
// send half of a fleet's users elsewhere during an update.
func TestHashIsTheSameEverywhere(t *testing.T) {
	all := fakes(1, 1, 1, 2)
	got := ""
	for i := range 40 {
		got += all[Hash().Pick(all, fmt.Sprint("user ", i))].Instance().Address
	}
	const golden = "cacaabcacddbdddbcabaccddddbadddcddddacbb"
	if got != golden {
		t.Errorf("%s, want %s", got, golden)
	}
}

// When an instance goes, only its keys move; when it comes back, they move back.
func TestHashMovesFewKeys(t *testing.T) {
	all := fakes(1, 1, 2, 1)
	count := map[string]int{}
	for i := range 10_000 {
		key := fmt.Sprint("key ", i)
		before := all[Hash().Pick(all, key)].Instance().Address
		less := slices.Concat(all[:1], all[2:]) // without b
		after := less[Hash().Pick(less, key)].Instance().Address
		if before != "b" && before != after {
			t.Fatalf("%s moved from %s to %s when b went", key, before, after)
		}
		count[before]++
	}
	for address, want := range map[string]int{"a": 2000, "b": 2000, "c": 4000, "d": 2000} {
		if got := count[address]; got < want*9/10 || got > want*11/10 {
			t.Errorf("%s has %d keys, want about %d: %v", address, got, want, maps.Collect(maps.All(count)))
		}
	}
}

func TestStickyStaysAndIsBounded(t *testing.T) {
	p := Sticky(RoundRobin()).(*sticky)
	all := fakes(1, 1, 1)
	first := p.Pick(all, "k")
	for range 10 {
		if p.Pick(all, "k") != first {
			t.Fatal("it does not stay")
		}
	}
	without := slices.Delete(slices.Clone(all), first, first+1)
	moved := without[p.Pick(without, "k")].Instance().Address
	if again := all[p.Pick(all, "k")].Instance().Address; again != moved {
		t.Errorf("it moved to %s and then to %s", moved, again)
	}
	for i := range MaxSticky + 100 {
		p.Pick(all, strings.Repeat("x", i%5)+fmt.Sprint(i))
	}
	if len(p.m) != MaxSticky || p.l.Len() != MaxSticky {
		t.Errorf("%d keys in the map and %d in the list, want %d", len(p.m), p.l.Len(), MaxSticky)
	}
}
