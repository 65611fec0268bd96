package reflect

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A Schema is a JSON Schema, draft 2020-12, of a Go type as encoding/json
// writes it. The zero value accepts everything.
type Schema struct {
	Draft       string             `json:"$schema,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        string             `json:"type,omitempty"`
	Format      string             `json:"format,omitempty"`
	Encoding    string             `json:"contentEncoding,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Examples    []string           `json:"examples,omitempty"`
	Minimum     *int               `json:"minimum,omitempty"`
	Items       *Schema            `json:"items,omitempty"`
	MinItems    *int               `json:"minItems,omitempty"`
	MaxItems    *int               `json:"maxItems,omitempty"`
	Properties  map[string]*Schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Values      *Schema            `json:"additionalProperties,omitempty"`
	AnyOf       []*Schema          `json:"anyOf,omitempty"`
	Defs        map[string]*Schema `json:"$defs,omitempty"`
}

const draft = "https://json-schema.org/draft/2020-12/schema"

// SchemaOf returns the schema of t, or nil for a nil type. If written is true,
// the schema describes what encoding writes, and fields that are never left out
// are required; otherwise it describes what decoding accepts. Types that refer
// to themselves are in $defs.
func SchemaOf(t reflect.Type, written bool) *Schema {
	if t == nil {
		return nil
	}
	t = indirect(t)
	if t == bytesType {
		return &Schema{Draft: draft, Description: anyBody}
	}
	b := newBuilder(written, "#/$defs/", "")
	s := b.schema(t)
	s.Draft = draft
	if len(b.defs) > 0 {
		s.Defs = b.defs
	}
	return s
}

// A builder builds the schema of a type and of the types that it refers to.
type builder struct {
	written    bool
	ref, after string                  // prefix and suffix of the names in references
	names      map[reflect.Type]string // in defs
	defs       map[string]*Schema
}

func newBuilder(written bool, ref, after string) *builder {
	return &builder{written: written, ref: ref, after: after, names: map[reflect.Type]string{}, defs: map[string]*Schema{}}
}

// anyBody describes a body that is not encoded by a codec.
const anyBody = "any body; its bytes are passed on as they are"

var (
	bytesType     = reflect.TypeFor[[]byte]()
	timeType      = reflect.TypeFor[time.Time]()
	numberType    = reflect.TypeFor[json.Number]()
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func (b *builder) schema(t reflect.Type) *Schema {
	switch {
	case t == timeType:
		return &Schema{Type: "string", Format: "date-time"}
	case t == numberType:
		return &Schema{Type: "number"}
	case t.Kind() == reflect.Pointer: // nil is written as null
		return nullable(b.schema(t.Elem()))
	case implements(t, marshaler):
		return &Schema{Description: "as " + t.String() + " writes itself"}
	case implements(t, textMarshaler):
		return &Schema{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &Schema{Type: "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return &Schema{Type: "integer", Minimum: new(int)}
	case reflect.Float32, reflect.Float64:
		return &Schema{Type: "number"}
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Slice, reflect.Array:
		return b.list(t)
	case reflect.Map:
		return nullable(&Schema{Type: "object", Values: b.schema(t.Elem())})
	case reflect.Struct:
		return b.named(t)
	case reflect.Interface:
		return &Schema{}
	}
	return &Schema{Description: t.String() + " has no form in JSON"}
}

// implements reports whether t or a pointer to it does.
func implements(t, what reflect.Type) bool {
	return t.Kind() != reflect.Interface && (t.Implements(what) || reflect.PointerTo(t).Implements(what))
}

// nullable returns the schema of s or null.
func nullable(s *Schema) *Schema { return &Schema{AnyOf: []*Schema{s, {Type: "null"}}} }

func (b *builder) list(t reflect.Type) *Schema {
	if t.Kind() == reflect.Array {
		n := t.Len()
		return &Schema{Type: "array", Items: b.schema(t.Elem()), MinItems: &n, MaxItems: &n}
	}
	if t.Elem().Kind() == reflect.Uint8 && !implements(t.Elem(), marshaler) && !implements(t.Elem(), textMarshaler) {
		return nullable(&Schema{Type: "string", Encoding: "base64"})
	}
	return nullable(&Schema{Type: "array", Items: b.schema(t.Elem())})
}

// named returns a reference to the definition of a struct, so that types may
// refer to themselves. For an unnamed struct it returns the schema itself.
func (b *builder) named(t reflect.Type) *Schema {
	if t.Name() == "" {
		return b.object(t)
	}
	name, ok := b.names[t]
	if !ok {
		name = b.freeName(t)
		b.names[t] = name
		b.defs[name] = &Schema{} // reserves the name while the fields are built
		*b.defs[name] = *b.object(t)
	}
	return &Schema{Ref: b.ref + name}
}

// freeName returns an unused name for t in the definitions that needs no
// escaping. Types of different packages may have the same name.
func (b *builder) freeName(t reflect.Type) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, t.String())
	plain += b.after
	name := plain
	for n := 2; b.defs[name] != nil; n++ {
		name = fmt.Sprintf("%s_%d", plain, n)
	}
	return name
}

func (b *builder) object(t reflect.Type) *Schema {
	s := &Schema{Type: "object", Properties: map[string]*Schema{}}
	for _, f := range fieldsOf(t) {
		of := b.schema(f.typ)
		if f.text && (of.Type == "integer" || of.Type == "number" || of.Type == "boolean") {
			text := "0"
			if of.Type == "boolean" {
				text = "false"
			}
			of = &Schema{Type: "string", Examples: []string{text}}
		}
		s.Properties[f.name] = of
		if b.written && !f.optional {
			s.Required = append(s.Required, f.name)
		}
	}
	return s
}
