package reflect

import (
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
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

// A fileSet collects the files of protobuf messages, what they import first.
type fileSet struct {
	seen map[string]bool // by path
	set  descriptorpb.FileDescriptorSet
}

// add enters the message behind t and returns its full name, "" if t is none.
func (f *fileSet) add(t reflect.Type) string {
	if t == nil {
		return ""
	}
	m, ok := reflect.Zero(reflect.PointerTo(indirect(t))).Interface().(proto.Message)
	if !ok || indirect(t).Kind() != reflect.Struct {
		return ""
	}
	d := m.ProtoReflect().Descriptor()
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
