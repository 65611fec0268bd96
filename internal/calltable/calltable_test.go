package calltable

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestAgainstAMap does the same with a table and a plain map, starting all over
// the range of numbers, including the wrap.
func TestAgainstAMap(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var table Table[int]
		if seed%4 == 0 {
			table.Jump(math.MaxInt32 - 50)
		}
		model := map[int32]int{}
		for i := range 2000 {
			switch r.IntN(5) {
			case 0, 1:
				seq, n := table.Add(i)
				if _, used := model[seq]; used || seq <= 0 {
					t.Fatalf("seed %d: number %d was assigned while it was in use, or is not valid", seed, seq)
				}
				model[seq] = i
				if n != len(model) {
					t.Fatalf("seed %d: %d in flight, want %d", seed, n, len(model))
				}
			case 2, 3:
				for seq, want := range model {
					if got, ok := table.Take(seq); !ok || got != want {
						t.Fatalf("seed %d: Take(%d) = %d, %v; want %d", seed, seq, got, ok, want)
					}
					delete(model, seq)
					if _, ok := table.Take(seq); ok {
						t.Fatalf("seed %d: call %d was taken twice", seed, seq)
					}
					break
				}
			default:
				seq := r.Int32N(math.MaxInt32)
				if _, there := model[seq]; !there {
					if _, ok := table.Take(seq); ok {
						t.Fatalf("seed %d: Take(%d) found what was never added", seed, seq)
					}
				}
			}
			if table.Len() != len(model) {
				t.Fatalf("seed %d: Len() = %d, want %d", seed, table.Len(), len(model))
			}
		}
		if left := table.Close(); len(left) != len(model) {
			t.Fatalf("seed %d: Close returned %d calls, want %d", seed, len(left), len(model))
		}
	}
}

func TestClosedTableLetsNothingIn(t *testing.T) {
	for name, shut := range map[string]func(*Table[int]){
		"stop":  (*Table[int]).Stop,
		"close": func(t *Table[int]) { t.Close() },
	} {
		var table Table[int]
		seq, _ := table.Add(7)
		shut(&table)
		if s, n := table.Add(8); s != 0 || n != 0 {
			t.Errorf("%s: Add returned %d, %d", name, s, n)
		}
		if call, ok := table.Take(seq); ok != (name == "stop") || ok && call != 7 {
			t.Errorf("%s: Take(%d) = %d, %v", name, seq, call, ok)
		}
	}
}

func TestZeroIsNoNumber(t *testing.T) {
	var table Table[int]
	if _, ok := table.Take(0); ok {
		t.Error("an empty table has a call 0")
	}
	table.Add(1)
	if _, ok := table.Take(0); ok {
		t.Error("a free slot was taken for call 0")
	}
	table.Jump(math.MaxInt32)
	if n := table.Next(); n != 1 {
		t.Errorf("after the last number comes %d, want 1", n)
	}
	if table.Jump(1 << 25); table.Next() != 1<<25+1 || table.Last() != 1<<25+1 {
		t.Errorf("after Jump: %d", table.Last())
	}
}

func TestBurstLeavesLittle(t *testing.T) {
	var table Table[int]
	var seqs []int32
	for i := range 10000 {
		seq, _ := table.Add(i)
		seqs = append(seqs, seq)
	}
	for _, seq := range seqs {
		table.Take(seq)
	}
	if table.slots != nil {
		t.Errorf("an empty table keeps %d slots", len(table.slots))
	}
}

// TestOneTaker lets many goroutines take the same calls while the table is closed:
// exactly one of them gets each call.
func TestOneTaker(t *testing.T) {
	for range 100 {
		var table Table[int]
		const calls = 64
		seqs := make([]int32, calls)
		for i := range seqs {
			seqs[i], _ = table.Add(i)
		}
		var mu sync.Mutex
		had := map[int]int{}
		note := func(call int) {
			mu.Lock()
			defer mu.Unlock()
			had[call]++
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for _, seq := range seqs {
					if call, ok := table.Take(seq); ok {
						note(call)
					}
				}
			})
		}
		wg.Go(func() {
			for _, call := range table.Close() {
				note(call)
			}
		})
		wg.Wait()
		for i := range calls {
			if had[i] != 1 {
				t.Fatalf("call %d was taken %d times", i, had[i])
			}
		}
	}
}

func BenchmarkAddTake(b *testing.B) {
	var table Table[*int]
	call := new(int)
	b.ReportAllocs()
	for b.Loop() {
		seq, _ := table.Add(call)
		table.Take(seq)
	}
}

// The number of slots is the least power of two that is twice the calls.
func TestSlotsGrowWithTheCalls(t *testing.T) {
	var table Table[int]
	want := minSlots
	for n := 1; n <= 3000; n++ {
		if 2*n > want {
			want *= 2
		}
		table.Add(n)
		if len(table.slots) != want {
			t.Fatalf("%d calls have %d slots, want %d", n, len(table.slots), want)
		}
	}
}

// An empty table keeps a moderate number of slots, and one that is not empty all.
func TestWhatATableKeeps(t *testing.T) {
	for _, c := range []struct {
		calls int
		keeps bool
	}{{maxKept / 2, true}, {maxKept/2 + 1, false}} {
		var table Table[*int]
		var seqs []int32
		for range c.calls {
			seq, _ := table.Add(new(int))
			seqs = append(seqs, seq)
		}
		for i, seq := range seqs {
			if _, ok := table.Take(seq); !ok {
				t.Fatalf("%d calls: the %d. is gone", c.calls, i+1)
			}
		}
		if kept := table.slots != nil; kept != c.keeps {
			t.Errorf("%d calls: the empty table keeps its slots: %v", c.calls, kept)
		}
		for _, s := range table.slots {
			if s.call != nil || s.seq != 0 {
				t.Errorf("%d calls: the empty table keeps a call", c.calls)
			}
		}
	}
}
