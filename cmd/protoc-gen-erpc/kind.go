package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// noReply is the result message that makes a method a push.
const noReply protoreflect.FullName = "erpc.v1.NoReply"

// A kind is the kind of a method in erpc.
type kind uint8

const (
	call         kind = iota // one message, one answer
	push                     // one message, no answer
	serverStream             // one message, many answers
	clientStream             // many messages, one answer
	bidiStream               // many of both
)

var kindNames = [...]string{"call", "push", "server stream", "client stream", "bidirectional stream"}

// String implements [fmt.Stringer].
func (k kind) String() string { return kindNames[k] }

// kindOf returns the kind of a method.
func kindOf(m *protogen.Method) (kind, error) {
	streams := m.Desc.IsStreamingClient() || m.Desc.IsStreamingServer()
	if m.Output.Desc.FullName() == noReply {
		if streams {
			return 0, fmt.Errorf("%s: a push has one message; a method with streams can't return %s", m.Desc.FullName(), noReply)
		}
		return push, nil
	}
	switch {
	case m.Desc.IsStreamingClient() && m.Desc.IsStreamingServer():
		return bidiStream, nil
	case m.Desc.IsStreamingServer():
		return serverStream, nil
	case m.Desc.IsStreamingClient():
		return clientStream, nil
	}
	return call, nil
}

// levelOf returns the idempotency of a method: a safe method has no side
// effects, and a repeatable method has the same effect when it is executed
// twice.
func levelOf(m *protogen.Method) (safe, repeatable bool) {
	o, ok := m.Desc.Options().(*descriptorpb.MethodOptions)
	if !ok {
		return false, false
	}
	switch o.GetIdempotencyLevel() {
	case descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
		return true, true
	case descriptorpb.MethodOptions_IDEMPOTENT:
		return false, true
	}
	return false, false
}

// deprecated reports whether a method or a service is marked as deprecated.
func deprecated(d protoreflect.Descriptor) bool {
	switch o := d.Options().(type) {
	case *descriptorpb.MethodOptions:
		return o.GetDeprecated()
	case *descriptorpb.ServiceOptions:
		return o.GetDeprecated()
	case *descriptorpb.FileOptions:
		return o.GetDeprecated()
	}
	return false
}
