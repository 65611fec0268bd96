// Package codec turns the bodies of messages into bytes and back.
//
// A message carries one byte that names the codec of its body; this package
// holds the process-wide table from that byte to a [Codec]. JSON, form, plain
// text, XML and protobuf are in the table from the start; thrift is added by
// the package codec/thriftcodec, and a program adds its own with [Reg]. The
// package is a leaf: it imports no other package of the module. The contract of an
// implementation is checked by codec/codectest.
package codec
