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

// typeName returns the name of a type as Go programs have it, without the star of
// a result.
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

// shapeOf returns the shape of a stream by the service that the name of its handler
// stands for, "" if its messages come from no such file.
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
		return "" // it only has that name
	}
	return ShapeOf(m)
}

// ShapeOf returns the shape of a method, "" of one without streams.
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

// messageOf returns the message behind t, nil if t is none.
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

// A fileSet collects the files of protobuf messages, what they import first.
type fileSet struct {
	seen map[string]bool // by path
	set  descriptorpb.FileDescriptorSet
}

// add enters the message behind t and returns its full name, "" if t is none.
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

// encode returns the set, nil if it is empty.
func (f *fileSet) encode() ([]byte, error) {
	if len(f.set.File) == 0 {
		return nil, nil
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&f.set)
}
