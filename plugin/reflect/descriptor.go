package reflect

import (
	"path"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/goerpc/erpc"
)

// typeName returns the Go name of a type, without the star of a pointer result.
func typeName(t reflect.Type) string {
	if t == nil {
		return ""
	}
	return indirect(t).String()
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	return t
}

// shapeOf returns the shape of a stream according to the .proto service that
// its handler's name refers to, or "" if its messages don't come from such a
// file.
func shapeOf(h *erpc.Handler) string {
	arg := messageOf(h.ArgElemType())
	if arg == nil {
		return ""
	}
	service, method := path.Split(h.Name())
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.Trim(service, "/")))
	d, ok := found.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		return ""
	}
	m := d.Methods().ByName(protoreflect.Name(method))
	if m == nil || m.Input().FullName() != arg.FullName() {
		return "" // the method only has the same name
	}
	return ShapeOf(m)
}

// ShapeOf returns the shape of a method, or "" if it does not stream.
func ShapeOf(m protoreflect.MethodDescriptor) string {
	switch {
	case m.IsStreamingClient() && m.IsStreamingServer():
		return BothStream
	case m.IsStreamingClient():
		return ClientStream
	case m.IsStreamingServer():
		return ServerStream
	}
	return ""
}

// messageOf returns the protobuf message descriptor of t, or nil if t is not a
// message.
func messageOf(t reflect.Type) protoreflect.MessageDescriptor {
	if t == nil || indirect(t).Kind() != reflect.Struct {
		return nil
	}
	m, ok := reflect.Zero(reflect.PointerTo(indirect(t))).Interface().(proto.Message)
	if !ok {
		return nil
	}
	return m.ProtoReflect().Descriptor()
}

// A fileSet collects the files of protobuf messages, each after its imports.
type fileSet struct {
	seen map[string]bool // by path
	set  descriptorpb.FileDescriptorSet
}

// add adds the file of the protobuf message t and returns the message's full
// name, or "" if t is not a message.
func (f *fileSet) add(t reflect.Type) string {
	d := messageOf(t)
	if d == nil {
		return ""
	}
	f.file(d.ParentFile())
	return string(d.FullName())
}

func (f *fileSet) file(d protoreflect.FileDescriptor) {
	if d == nil || f.seen[d.Path()] {
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[d.Path()] = true
	imports := d.Imports()
	for i := range imports.Len() {
		f.file(imports.Get(i).FileDescriptor)
	}
	f.set.File = append(f.set.File, protodesc.ToFileDescriptorProto(d))
}

// encode returns the encoded set, or nil if it is empty.
func (f *fileSet) encode() ([]byte, error) {
	if len(f.set.File) == 0 {
		return nil, nil
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&f.set)
}
