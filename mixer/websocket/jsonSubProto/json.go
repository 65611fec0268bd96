// Package jsonSubProto has the JSON sub-protocol of WebSocket under erpc v7's
// path. It is for programs that come from v7; new ones use
// [jsonproto.NewSubProtoFunc].
package jsonSubProto

import (
	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/jsonproto"
)

// NewJSONSubProtoFunc returns [jsonproto.NewSubProtoFunc].
func NewJSONSubProtoFunc() erpc.ProtoFunc { return jsonproto.NewSubProtoFunc() }
