// Package registry is the table of values that are registered for the process
// under a one-byte id and a name: codecs and transfer filters.
package registry

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
)

// A Registry finds values by id and by name. Reading takes one atomic load;
// adding copies the table. The zero value is empty and ready. All methods may be
// called concurrently.
type Registry[T any] struct {
	mu    sync.Mutex               // held by Add, so that no value is lost
	table atomic.Pointer[table[T]] // nil until the first Add
}

// A table is immutable once it is published.
type table[T any] struct {
	byID   [256]*T
	byName map[string]*T
}

// A Conflict tells why a value was not added.
type Conflict[T any] struct {
	ByName bool // its name is taken; else its id is
	Have   T    // the value that has it
}

// Add adds v under id and name. If either is taken it adds nothing: the conflict
// is nil if same says that both are taken by the same value.
func (r *Registry[T]) Add(id byte, name string, v T, same func(have T) bool) *Conflict[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := &table[T]{byName: map[string]*T{}}
	if old := r.table.Load(); old != nil {
		next.byID, next.byName = old.byID, maps.Clone(old.byName)
	}
	byID, byName := next.byID[id], next.byName[name]
	switch {
	case byID != nil && byID == byName && same(*byID):
		return nil
	case byID != nil:
		return &Conflict[T]{Have: *byID}
	case byName != nil:
		return &Conflict[T]{ByName: true, Have: *byName}
	}
	next.byID[id], next.byName[name] = &v, &v
	r.table.Store(next)
	return nil
}

// ByID returns the value with that id. It takes no lock and does not allocate.
func (r *Registry[T]) ByID(id byte) (v T, ok bool) {
	if t := r.table.Load(); t != nil {
		if p := t.byID[id]; p != nil {
			return *p, true
		}
	}
	return v, false
}

// ByName returns the value with that name. It takes no lock and does not allocate.
func (r *Registry[T]) ByName(name string) (v T, ok bool) {
	if t := r.table.Load(); t != nil {
		if p := t.byName[name]; p != nil {
			return *p, true
		}
	}
	return v, false
}

// IsNil reports whether v is a nil interface or holds a nil pointer.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// Same is a == b, but returns false instead of panicking for types that cannot be
// compared.
func Same(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
