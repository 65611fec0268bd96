package main

import (
	"go/types"
	"slices"
)

// members returns the exported methods and fields of a type that programs reach
// through a value of it.
func members(t types.Type) []string {
	seen := map[string]bool{}
	collect(t, seen, map[types.Type]bool{})
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func collect(t types.Type, into map[string]bool, visited map[types.Type]bool) {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	t = types.Unalias(t)
	if visited[t] {
		return
	}
	visited[t] = true
	set := types.NewMethodSet(t)
	if !types.IsInterface(t) {
		set = types.NewMethodSet(types.NewPointer(t))
	}
	for m := range set.Methods() {
		if m.Obj().Exported() {
			into[m.Obj().Name()] = true
		}
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for f := range s.Fields() {
		if f.Exported() {
			into[f.Name()] = true
		}
		if f.Embedded() {
			collect(f.Type(), into, visited)
		}
	}
}
