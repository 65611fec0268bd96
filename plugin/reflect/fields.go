package reflect

import (
	"reflect"
	"slices"
	"strings"
)

// A field is a field of a struct as encoding/json writes it.
type field struct {
	name     string
	typ      reflect.Type
	optional bool // left out when it is empty
	text     bool // a number or bool that is written as a string
	tagged   bool
	depth    int // depth of embedding
}

// fieldsOf returns the exported fields of a struct in the order of their
// declaration, including those of embedded structs. If several fields have the
// same name, the least nested one wins, among these the one with a tag; if
// several are left, none of them is returned.
func fieldsOf(t reflect.Type) []field {
	all := collect(t, 0, map[reflect.Type]bool{})
	byName := map[string][]field{}
	for _, f := range all {
		byName[f.name] = append(byName[f.name], f)
	}
	var fields []field
	for _, f := range all {
		if winner, ok := dominant(byName[f.name]); ok && winner == f && !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// dominant returns the field that wins among fields of the same name.
func dominant(same []field) (field, bool) {
	best, ties := same[0], 0
	for _, f := range same[1:] {
		switch {
		case f.depth < best.depth || f.depth == best.depth && f.tagged && !best.tagged:
			best, ties = f, 0
		case f.depth == best.depth && f.tagged == best.tagged:
			ties++
		}
	}
	return best, ties == 0
}

// collect returns the fields of t and of the structs that it embeds. above
// holds the types that embed t.
func collect(t reflect.Type, depth int, above map[reflect.Type]bool) (fields []field) {
	if above[t] {
		return nil
	}
	above[t] = true
	defer delete(above, t)
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		elem := sf.Type
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if sf.Anonymous && name == "" && elem.Kind() == reflect.Struct {
			if sf.IsExported() || sf.Type.Kind() == reflect.Struct { // decoding can't set an unexported pointer
				fields = append(fields, collect(elem, depth+1, above)...)
			}
			continue
		}
		if !sf.IsExported() {
			continue
		}
		options := strings.Split(rest, ",")
		f := field{name: name, typ: sf.Type, tagged: name != "", depth: depth}
		f.optional = slices.Contains(options, "omitempty") || slices.Contains(options, "omitzero")
		f.text = slices.Contains(options, "string")
		if name == "" {
			f.name = sf.Name
		}
		fields = append(fields, f)
	}
	return fields
}
