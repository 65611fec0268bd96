package codec

import (
	"reflect"
	"sync"
)

// largestCosts caches results of ElementCost: reflect.Type to int.
var largestCosts sync.Map

// ElementCost returns the maximum number of bytes that one element of a body can
// take in a value of type t: as an element of a slice that grows, as an entry of a
// map, or behind a pointer, at any depth. It is for a [Coster] whose format cannot
// be matched with the type step by step.
func ElementCost(t reflect.Type) int {
	if n, ok := largestCosts.Load(t); ok {
		return n.(int)
	}
	seen := make(map[reflect.Type]bool)
	n := max(16, largestIn(t, seen))
	largestCosts.Store(t, n)
	return n
}

func largestIn(t reflect.Type, seen map[reflect.Type]bool) int {
	if seen[t] {
		return 0
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer:
		return max(allocated(int(t.Elem().Size())), largestIn(t.Elem(), seen))
	case reflect.Slice:
		// One element may add a slice and what it points to.
		size := grown(int(t.Elem().Size()))
		if e := t.Elem(); e.Kind() == reflect.Pointer {
			size = plus(size, allocated(int(e.Elem().Size())))
		}
		return max(size, largestIn(t.Elem(), seen))
	case reflect.Array:
		return largestIn(t.Elem(), seen)
	case reflect.Map:
		size := firstEntryCost(int(t.Key().Size()), int(t.Elem().Size()))
		return max(size, largestIn(t.Elem(), seen))
	case reflect.Interface:
		return 64 // a boxed string
	case reflect.Struct:
		most := 0
		for i := range t.NumField() {
			most = max(most, largestIn(t.Field(i).Type, seen))
		}
		return most
	}
	return 0
}
