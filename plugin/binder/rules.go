package binder

import (
	"fmt"
	"reflect"

	"github.com/goerpc/erpc"
)

// rules holds what to bind and check for a struct type.
type rules struct {
	fields []field
}

// A field is a struct field with a tag, or one that leads to structs with tags.
type field struct {
	index  int
	tagged bool
	Param
	violation // code and msg of the status that the tag sets
	checks    []check
	inner     *rules // rules of the struct that the field is, points to, or is a slice of
}

// compile compiles the rules of a struct type. known holds the types that are
// being compiled, because a type may contain itself.
func compile(t reflect.Type, known map[reflect.Type]*rules) (*rules, error) {
	if r, ok := known[t]; ok {
		return r, nil
	}
	r := new(rules)
	known[t] = r
	for i := range t.NumField() {
		sf := t.Field(i)
		f := field{index: i}
		tag, tagged := sf.Tag.Lookup(tagName)
		if tag == tagIgnore {
			continue
		}
		embedded := sf.Anonymous && sf.Type.Kind() == reflect.Struct
		if !sf.IsExported() && (tagged || !embedded) {
			if tagged {
				return nil, fmt.Errorf("binder: %s.%s has a tag but is not exported", t, sf.Name)
			}
			continue
		}
		if tagged {
			if err := f.compile(sf, tag); err != nil {
				return nil, fmt.Errorf("binder: %s.%s: %w", t, sf.Name, err)
			}
		} else if s := structIn(sf.Type); s != nil {
			inner, err := compile(s, known)
			if err != nil {
				return nil, err
			}
			f.inner = inner
		}
		if f.tagged || f.inner != nil {
			r.fields = append(r.fields, f)
		}
	}
	return r, nil
}

func (f *field) compile(sf reflect.StructField, tag string) error {
	if sf.Type.Kind() == reflect.Pointer {
		return fmt.Errorf("a parameter can't be a pointer; make it a %s", sf.Type.Elem())
	}
	values, err := parseTag(tag)
	if err != nil {
		return err
	}
	f.tagged = true
	f.Param = Param{Name: snake(sf.Name), From: fromBody, Desc: values[keyDesc]}
	meta, fromMeta := values[keyMeta]
	swap, fromSwap := values[keySwap]
	switch {
	case fromMeta && fromSwap:
		return fmt.Errorf("a parameter can't be both <meta> and <swap>")
	case fromMeta:
		f.From = keyMeta
		if !assignable(sf.Type) {
			return fmt.Errorf("a %s can't be made from metadata; strings, numbers, booleans, bytes and slices of these can", sf.Type)
		}
	case fromSwap:
		f.From = keySwap
	}
	if name := meta + swap; name != "" {
		f.Name = name
	}
	if stat, ok := values[keyStat]; ok {
		f.code, f.msg, err = parseStat(stat)
		if err != nil {
			return err
		}
	}
	f.checks, err = compileChecks(sf.Type, values)
	return err
}

// structIn returns the struct type that t is or leads to through pointers and
// slices, or nil if there is none.
func structIn(t reflect.Type) reflect.Type {
	for {
		switch t.Kind() {
		case reflect.Struct:
			return t
		case reflect.Pointer, reflect.Slice, reflect.Array:
			t = t.Elem()
		default:
			return nil
		}
	}
}

// apply binds and checks the fields of a struct and returns the first
// violation.
func (r *rules) apply(v reflect.Value, ctx erpc.ReadCtx) *violation {
	for i := range r.fields {
		f := &r.fields[i]
		fv := v.Field(f.index)
		if f.inner != nil {
			if wrong := f.inner.applyIn(fv, ctx); wrong != nil {
				return wrong
			}
			continue
		}
		if err := f.apply(fv, ctx); err != nil {
			return &violation{f.Name, err.Error(), f.code, f.msg}
		}
	}
	return nil
}

func (f *field) apply(v reflect.Value, ctx erpc.ReadCtx) error {
	switch f.From {
	case keyMeta:
		if sent := ctx.Input().Meta().PeekMulti(f.Name); len(sent) > 0 {
			if err := assign(v, sent); err != nil {
				return err
			}
		}
	case keySwap:
		if value, ok := ctx.Swap().Load(f.Name); ok {
			if err := convert(v, value); err != nil {
				return err
			}
		}
	}
	for _, c := range f.checks {
		if err := c(v); err != nil {
			return err
		}
	}
	return nil
}

// applyIn applies r to the structs in v, also through pointers and slices.
func (r *rules) applyIn(v reflect.Value, ctx erpc.ReadCtx) *violation {
	switch v.Kind() {
	case reflect.Struct:
		return r.apply(v, ctx)
	case reflect.Pointer:
		if !v.IsNil() {
			return r.applyIn(v.Elem(), ctx)
		}
	case reflect.Slice, reflect.Array:
		if len(r.fields) == 0 {
			return nil
		}
		for i := range v.Len() {
			if wrong := r.applyIn(v.Index(i), ctx); wrong != nil {
				return wrong
			}
		}
	}
	return nil
}

func (r *rules) params(list []Param, seen map[*rules]bool) []Param {
	if seen[r] {
		return list
	}
	seen[r] = true
	for _, f := range r.fields {
		if f.tagged {
			list = append(list, f.Param)
		} else {
			list = f.inner.params(list, seen)
		}
	}
	return list
}
