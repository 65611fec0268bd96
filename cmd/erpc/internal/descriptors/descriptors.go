// Package descriptors finds the services in .proto files, which it compiles
// without protoc, in descriptor sets, and in the description of a peer. It
// converts their messages from and to JSON.
package descriptors

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/goerpc/erpc/plugin/reflect"
)

// noReply is the result message that makes a method a push.
const noReply protoreflect.FullName = "erpc.v1.NoReply"

// A Set is a set of files. It is safe for concurrent use.
type Set struct {
	files   *protoregistry.Files
	methods []Method // by name
}

// A Method is a method of a service, or another method whose messages are
// known.
type Method struct {
	reflect.Method
	In, Out protoreflect.MessageDescriptor // nil: not a protobuf message, or none
	types   *dynamicpb.Types
}

// Read reads descriptor sets, as written by protoc --descriptor_set_out and buf
// build.
func Read(paths ...string) (*Set, error) {
	var all descriptorpb.FileDescriptorSet
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var set descriptorpb.FileDescriptorSet
		if err := proto.Unmarshal(b, &set); err != nil {
			return nil, fmt.Errorf("%s is not a descriptor set: %w", path, err)
		}
		for _, f := range set.File {
			if !slices.ContainsFunc(all.File, func(g *descriptorpb.FileDescriptorProto) bool { return g.GetName() == f.GetName() }) {
				all.File = append(all.File, f)
			}
		}
	}
	s, err := New(&all)
	if err != nil {
		return nil, fmt.Errorf("%w; write the descriptor sets with --include_imports", err)
	}
	return s, nil
}

// New returns the set of the given files, which must include all imports.
func New(set *descriptorpb.FileDescriptorSet) (*Set, error) {
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("descriptors: %w", err)
	}
	return newSet(files), nil
}

func newSet(files *protoregistry.Files) *Set {
	s := &Set{files: files}
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				s.methods = append(s.methods, s.method(methods.Get(j)))
			}
		}
		return true
	})
	slices.SortFunc(s.methods, func(a, b Method) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// method returns a method as protoc-gen-erpc names it.
func (s *Set) method(d protoreflect.MethodDescriptor) Method {
	m := Method{In: d.Input(), Out: d.Output(), types: dynamicpb.NewTypes(s.files)}
	m.Method = reflect.Method{
		Name: "/" + string(d.Parent().FullName()) + "/" + string(d.Name()),
		Kind: reflect.Call,
		Doc:  docOf(d),
		Arg:  string(d.Input().FullName()), Result: string(d.Output().FullName()),
	}
	if o, ok := d.Options().(*descriptorpb.MethodOptions); ok {
		m.Safe = o.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	}
	switch {
	case d.IsStreamingClient() || d.IsStreamingServer():
		m.Kind, m.Shape = reflect.Stream, reflect.ShapeOf(d)
	case d.Output().FullName() == noReply:
		m.Kind, m.Result, m.Out = reflect.Push, "", nil
	}
	return m
}

// docOf returns the first line of the comment above a method.
func docOf(d protoreflect.Descriptor) string {
	text := strings.TrimSpace(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments)
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// Methods returns the methods of all services, sorted by name.
func (s *Set) Methods() []Method { return s.methods }

// Method returns the method of that name.
func (s *Set) Method(name string) (Method, bool) {
	i, ok := slices.BinarySearchFunc(s.methods, name, func(m Method, name string) int { return cmp.Compare(m.Name, name) })
	if !ok {
		return Method{}, false
	}
	return s.methods[i], true
}

// Described returns the method of a description from the peer that also gave
// the files of this set.
func (s *Set) Described(about reflect.Description) (Method, error) {
	m := Method{Method: about.Method, types: dynamicpb.NewTypes(s.files)}
	var err error
	m.In, err = s.message(about.ArgMessage)
	if err == nil {
		m.Out, err = s.message(about.ResultMessage)
	}
	return m, err
}

// message returns the message with that name, or nil if name is empty.
func (s *Set) message(name string) (protoreflect.MessageDescriptor, error) {
	if name == "" {
		return nil, nil
	}
	found, err := s.files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("descriptors: %s: %w", name, err)
	}
	d, ok := found.(protoreflect.MessageDescriptor)
	if !ok {
		return nil, fmt.Errorf("descriptors: %s is not a message", name)
	}
	return d, nil
}

// EncodeArg converts JSON to the argument of the method.
func (m Method) EncodeArg(text []byte) ([]byte, error) { return m.encode(m.In, text) }

// EncodeResult converts JSON to the result.
func (m Method) EncodeResult(text []byte) ([]byte, error) { return m.encode(m.Out, text) }

// DecodeArg converts an argument to JSON.
func (m Method) DecodeArg(body []byte) ([]byte, error) { return m.decode(m.In, body) }

// DecodeResult converts a result to JSON.
func (m Method) DecodeResult(body []byte) ([]byte, error) { return m.decode(m.Out, body) }

func (m Method) encode(d protoreflect.MessageDescriptor, text []byte) ([]byte, error) {
	if d == nil {
		return nil, fmt.Errorf("%s has a type that is unknown or not a protobuf message; use -codec json", m.Name)
	}
	msg := dynamicpb.NewMessage(d)
	if len(text) > 0 {
		if err := (protojson.UnmarshalOptions{Resolver: m.types}).Unmarshal(text, msg); err != nil {
			return nil, fmt.Errorf("the JSON is not a valid %s: %w", d.FullName(), err)
		}
	}
	return proto.Marshal(msg)
}

func (m Method) decode(d protoreflect.MessageDescriptor, body []byte) ([]byte, error) {
	if d == nil {
		return body, nil
	}
	msg := dynamicpb.NewMessage(d)
	if err := (proto.UnmarshalOptions{Resolver: m.types}).Unmarshal(body, msg); err != nil {
		return nil, fmt.Errorf("%s: the body is not a valid %s: %w", m.Name, d.FullName(), err)
	}
	return protojson.MarshalOptions{Resolver: m.types}.Marshal(msg)
}
