package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/descriptors"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/plugin/reflect"
)

// A converter converts between JSON and the bodies of one codec, for one
// method.
type converter struct {
	codec  byte
	encode func(text []byte) ([]byte, error) // an argument
	decode func(body []byte) ([]byte, error) // a result
}

// codecName returns the codec of -codec; the default is protobuf if there are
// descriptors, else json.
func (o *options) codecName() string {
	switch {
	case o.codec != "":
		return o.codec
	case o.schemas():
		return codec.NAME_PROTOBUF
	}
	return codec.NAME_JSON
}

// takesJSON reports whether arguments for the codec must be given as JSON.
func (o *options) takesJSON() bool {
	name := o.codecName()
	return name == codec.NAME_JSON || name == codec.NAME_PROTOBUF
}

// converter returns the converter of a method. It asks the peer for types only
// if they are needed and unknown.
func (o *options) converter(ctx context.Context, sess erpc.Session, method string) (converter, error) {
	name := o.codecName()
	c, err := codec.GetByName(name)
	if err != nil {
		return converter{}, usagef("-codec: %v", err)
	}
	conv := converterOf(c.ID())
	if name != codec.NAME_PROTOBUF {
		return conv, nil
	}
	m, err := o.method(ctx, sess, method)
	if err != nil {
		return converter{}, err
	}
	if m.In == nil {
		return converter{}, usagef("the argument of %s is not a protobuf message, or the peer does not describe it; use -codec json", method)
	}
	conv.encode, conv.decode = m.EncodeArg, m.DecodeResult
	return conv, nil
}

// converterOf returns the converter of a codec that needs no types. form and
// plain accept JSON as well as their own text, other codecs only their own
// bytes.
func converterOf(id byte) converter {
	same := func(b []byte) ([]byte, error) { return b, nil }
	c := converter{id, same, same}
	switch id {
	case codec.ID_FORM:
		c.encode, c.decode = formOf, ofForm
	case codec.ID_PLAIN:
		c.encode, c.decode = plainOf, func(b []byte) ([]byte, error) { return json.Marshal(string(b)) }
	}
	return c
}

// formOf converts an object to a form.
func formOf(text []byte) ([]byte, error) {
	var object map[string]any
	if json.Unmarshal(text, &object) != nil {
		return text, nil // it is already a form
	}
	values := url.Values{}
	for key, v := range object {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, v := range list {
			switch v := v.(type) {
			case string:
				values.Add(key, v)
			case map[string]any, []any:
				return nil, usagef("a form can't contain objects or lists of lists; %s is one", key)
			case nil:
			default:
				values.Add(key, number(v))
			}
		}
	}
	return []byte(values.Encode()), nil
}

// number formats a JSON number or bool.
func number(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // a value from JSON can always be formatted
	}
	return string(b)
}

// ofForm converts a form to an object, with lists where keys are repeated.
func ofForm(body []byte) ([]byte, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("the result is not a form: %w", err)
	}
	object := make(map[string]any, len(values))
	for key, list := range values {
		object[key] = list
		if len(list) == 1 {
			object[key] = list[0]
		}
	}
	return json.Marshal(object)
}

// plainOf removes the quotes from a JSON string.
func plainOf(text []byte) ([]byte, error) {
	var s string
	if json.Unmarshal(text, &s) != nil {
		return text, nil // numbers stay the same, everything else is text
	}
	return []byte(s), nil
}

// method returns the method with its messages, from the .proto files or
// descriptor sets that the flags name, or else from the peer.
func (o *options) method(ctx context.Context, sess erpc.Session, name string) (descriptors.Method, error) {
	set, err := o.descriptors(ctx)
	if err != nil {
		return descriptors.Method{}, err
	}
	if set != nil {
		return methodOf(set, name)
	}
	d, err := ask[reflect.Descriptions](ctx, o, sess, reflect.DescribeMethod, &reflect.DescribeArg{Names: []string{name}})
	if err != nil {
		return descriptors.Method{}, err
	}
	if len(d.Methods) == 0 {
		return descriptors.Method{}, notThere()
	}
	return described(d, d.Methods[0])
}

// methodOf returns a method of .proto files.
func methodOf(set *descriptors.Set, name string) (descriptors.Method, error) {
	m, ok := set.Method(name)
	if !ok {
		return m, usagef("the .proto files have no method %s; erpc list with the same flags shows what they have", name)
	}
	return m, nil
}

// described returns a method with the messages that the peer has described.
func described(d *reflect.Descriptions, about reflect.Description) (descriptors.Method, error) {
	var files descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(d.Files, &files); err != nil {
		return descriptors.Method{}, fmt.Errorf("descriptors of the peer: %w", err)
	}
	set, err := descriptors.New(&files)
	if err != nil {
		return descriptors.Method{}, fmt.Errorf("method of the peer: %w", err)
	}
	return set.Described(about)
}
