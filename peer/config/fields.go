package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is a struct's field that a file can set.
type field struct {
	name    string
	comment string
	kind    fieldKind
	value   reflect.Value // settable
}

type fieldKind int

const (
	unsupported    fieldKind = iota
	scalarField              // a single value
	listField                // a slice of strings
	structField              // a table
	pointerField             // a table for the struct that the field points to; nil if the file has none
	tableListField           // a list of tables: a slice of structs
	inlinedField             // a struct whose fields belong to the one around it
)

var (
	durationType        = reflect.TypeFor[time.Duration]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
)

// fieldsOf returns the fields of the struct v that a file of this format can
// set, in the order of the struct. An error means a mistake in the struct, not
// in the file.
func fieldsOf(format Format, v reflect.Value) ([]field, error) {
	fields, err := appendFields(nil, format, v)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		if seen[f.name] {
			return nil, fmt.Errorf("two fields of %v are called %q: rename one in its tag", v.Type(), f.name)
		}
		seen[f.name] = true
	}
	return fields, nil
}

func appendFields(out []field, format Format, v reflect.Value) ([]field, error) {
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, tagged := sf.Tag.Lookup(format.String())
		if !tagged {
			tag = sf.Tag.Get(format.other().String())
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		kind := kindOf(sf.Type)
		if kind == structField && (options == "inline" || sf.Anonymous && name == "") {
			kind = inlinedField
		}
		if !sf.IsExported() && kind != inlinedField {
			continue // embedded, but cannot be set
		}
		switch kind {
		case inlinedField:
			var err error
			out, err = appendFields(out, format, v.Field(i))
			if err != nil {
				return nil, err
			}
			continue
		case unsupported:
			return nil, fmt.Errorf("field %v.%s: a file cannot hold a %v: tag it `yaml:\"-\" ini:\"-\"`", t, sf.Name, sf.Type)
		}
		if name == "" {
			name = strings.ToLower(sf.Name)
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("field %v.%s: %w", t, sf.Name, err)
		}
		out = append(out, field{name: name, comment: sf.Tag.Get("comment"), kind: kind, value: v.Field(i)})
	}
	return out, nil
}

func kindOf(t reflect.Type) fieldKind {
	if isText(t) {
		return scalarField
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return scalarField
	case reflect.Slice:
		switch elem := t.Elem(); {
		case isText(elem):
		case elem.Kind() == reflect.String:
			return listField
		case elem.Kind() == reflect.Struct:
			return tableListField
		}
	case reflect.Struct:
		return structField
	case reflect.Pointer:
		if elem := t.Elem(); elem.Kind() == reflect.Struct && !isText(elem) {
			return pointerField
		}
	}
	return unsupported
}

// checkStruct checks t and the structs in its pointers and slices, so that a
// mistake in them shows with any file. around lists the types that contain t.
func checkStruct(format Format, t reflect.Type, around []reflect.Type) error {
	if slices.Contains(around, t) {
		return fmt.Errorf("a %v contains itself: a file cannot hold it", t)
	}
	fields, err := fieldsOf(format, reflect.New(t).Elem())
	if err != nil {
		return err
	}
	around = append(around, t)
	for _, f := range fields {
		switch f.kind {
		case structField:
			err = checkStruct(format, f.value.Type(), around)
		case pointerField, tableListField:
			err = checkStruct(format, f.value.Type().Elem(), around)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isText reports whether t implements [encoding.TextUnmarshaler]. It returns
// false for pointers and interfaces, which may be nil.
func isText(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface &&
		reflect.PointerTo(t).Implements(textUnmarshalerType)
}
