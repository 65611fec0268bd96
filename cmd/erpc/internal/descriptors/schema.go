package descriptors

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/goerpc/erpc/plugin/reflect"
)

// SchemaOf returns the JSON Schema of a message as protojson reads it, or nil
// if d is nil.
func SchemaOf(d protoreflect.MessageDescriptor) *reflect.Schema {
	if d == nil {
		return nil
	}
	b := builder{}
	s := b.message(d)
	s.Draft = "https://json-schema.org/draft/2020-12/schema"
	if len(b) > 0 {
		s.Defs = b
	}
	return s
}

// A builder collects the definitions of messages by their names.
type builder map[string]*reflect.Schema

// wellKnown holds the schemas of messages with a special JSON form. Struct and
// Any are objects with any keys.
var wellKnown = map[protoreflect.FullName]reflect.Schema{
	"google.protobuf.Timestamp":   {Type: "string", Format: "date-time"},
	"google.protobuf.Duration":    {Type: "string", Description: "seconds, such as 1.5s"},
	"google.protobuf.FieldMask":   {Type: "string", Description: "names with commas between them"},
	"google.protobuf.Struct":      {Type: "object"},
	"google.protobuf.Any":         {Type: "object", Description: "a message with its type in @type"},
	"google.protobuf.Value":       {},
	"google.protobuf.ListValue":   {Type: "array", Items: &reflect.Schema{}},
	"google.protobuf.BoolValue":   {Type: "boolean"},
	"google.protobuf.StringValue": {Type: "string"},
	"google.protobuf.BytesValue":  {Type: "string", Encoding: "base64"},
	"google.protobuf.Int32Value":  {Type: "integer"},
	"google.protobuf.UInt32Value": {Type: "integer", Minimum: new(int)},
	"google.protobuf.Int64Value":  {Type: "integer"},
	"google.protobuf.UInt64Value": {Type: "integer", Minimum: new(int)},
	"google.protobuf.FloatValue":  {Type: "number"},
	"google.protobuf.DoubleValue": {Type: "number"},
}

func (b builder) message(d protoreflect.MessageDescriptor) *reflect.Schema {
	name := string(d.FullName())
	if s, ok := wellKnown[d.FullName()]; ok {
		return &s
	}
	if b[name] == nil {
		s := &reflect.Schema{Type: "object", Description: docOf(d), Properties: map[string]*reflect.Schema{}}
		b[name] = s // set it before the fields, which may refer to it
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			s.Properties[f.JSONName()] = b.field(f)
		}
	}
	return &reflect.Schema{Ref: "#/$defs/" + name}
}

func (b builder) field(f protoreflect.FieldDescriptor) *reflect.Schema {
	switch {
	case f.IsMap():
		return &reflect.Schema{Type: "object", Values: b.value(f.MapValue())}
	case f.IsList():
		return &reflect.Schema{Type: "array", Items: b.value(f)}
	}
	return b.value(f)
}

func (b builder) value(f protoreflect.FieldDescriptor) *reflect.Schema {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return &reflect.Schema{Type: "boolean"}
	case protoreflect.StringKind:
		return &reflect.Schema{Type: "string"}
	case protoreflect.BytesKind:
		return &reflect.Schema{Type: "string", Encoding: "base64"}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return &reflect.Schema{Type: "number"}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return &reflect.Schema{Type: "integer", Minimum: new(int)}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &reflect.Schema{AnyOf: []*reflect.Schema{{Type: "integer"}, {Type: "string"}}} // written as a string
	case protoreflect.EnumKind:
		return b.enum(f.Enum())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return b.message(f.Message())
	}
	return &reflect.Schema{Type: "integer"}
}

func (b builder) enum(d protoreflect.EnumDescriptor) *reflect.Schema {
	if d.FullName() == "google.protobuf.NullValue" {
		return &reflect.Schema{Type: "null"}
	}
	s := &reflect.Schema{Type: "string"}
	for i := range d.Values().Len() {
		s.Enum = append(s.Enum, string(d.Values().Get(i).Name()))
	}
	return s
}
