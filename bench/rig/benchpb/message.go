// Package benchpb holds the message that every peer of the benchmark sends: as
// generated protobuf (bench.proto) and as a plain struct of the same fields for
// the frameworks that do not carry protobuf of Google's making.
package benchpb

import (
	"fmt"
	"strings"
)

//go:generate protoc --go_out=paths=source_relative:. bench.proto

// Size is the length in bytes of what NewRequest returns, encoded.
const Size = 581

const (
	text  = "a line of text that is neither short nor long, like others" // 58 bytes
	num   = 100_000                                                      // three bytes as a varint
	long  = 1 << 43                                                      // seven bytes as a varint
	done  = "OK"
	doneN = 100

	// Tags go from num up to num+tagRange, which are three bytes each too, so
	// that the size of a request does not depend on its tag.
	tagRange = 1_000_000
)

// NewRequest returns the request. Its text is shared, the rest is its own.
func NewRequest() *Message {
	return &Message{
		Text1: text, Text4: text, Text7: text, Text9: text, Text18: text, Text102: text, Text103: text, Text129: text,
		Num2: num, Num3: num, Num6: num, Num16: num, Num22: long, Num29: num, Num60: num, Num67: num,
		Num100: num, Num104: num, Num131: num, Num150: num, Num271: num, Num280: num,
		Flag12: true, Flag13: true, Flag17: true, Flag30: true, Flag59: true, Flag80: true,
		List5: []uint64{num},
	}
}

// Pad makes a request n bytes larger.
func (x *Message) Pad(n int) { x.Text4 += strings.Repeat("x", n) }

// Tag marks a request with n, which the reply must bring back.
func (x *Message) Tag(n uint32) { x.Num3 = tag(n) }

// Answer is what a server does to a request to make it the reply.
func (x *Message) Answer() { x.Text1, x.Num2 = done, doneN }

// Check reports how x fails to be the reply to the request with tag n.
func (x *Message) Check(n uint32) error {
	return check(n, x.GetText1(), x.GetNum2(), x.GetNum3(), x.GetText129(), x.GetNum280())
}

// Plain is Message for codecs that work on plain structs. Its tags are those
// of the generated struct, which is what kitex's own generator writes too.
type Plain struct {
	Text1   string   `protobuf:"bytes,1,opt,name=text1"`
	Num2    int32    `protobuf:"varint,2,opt,name=num2"`
	Num3    int32    `protobuf:"varint,3,opt,name=num3"`
	Text4   string   `protobuf:"bytes,4,opt,name=text4"`
	List5   []uint64 `protobuf:"fixed64,5,rep,packed,name=list5"`
	Num6    int32    `protobuf:"varint,6,opt,name=num6"`
	Text7   string   `protobuf:"bytes,7,opt,name=text7"`
	Text9   string   `protobuf:"bytes,9,opt,name=text9"`
	Flag12  bool     `protobuf:"varint,12,opt,name=flag12"`
	Flag13  bool     `protobuf:"varint,13,opt,name=flag13"`
	Num16   int32    `protobuf:"varint,16,opt,name=num16"`
	Flag17  bool     `protobuf:"varint,17,opt,name=flag17"`
	Text18  string   `protobuf:"bytes,18,opt,name=text18"`
	Num22   int64    `protobuf:"varint,22,opt,name=num22"`
	Num29   int32    `protobuf:"varint,29,opt,name=num29"`
	Flag30  bool     `protobuf:"varint,30,opt,name=flag30"`
	Flag59  bool     `protobuf:"varint,59,opt,name=flag59"`
	Num60   int32    `protobuf:"varint,60,opt,name=num60"`
	Num67   int32    `protobuf:"varint,67,opt,name=num67"`
	Flag80  bool     `protobuf:"varint,80,opt,name=flag80"`
	Num100  int32    `protobuf:"varint,100,opt,name=num100"`
	Text102 string   `protobuf:"bytes,102,opt,name=text102"`
	Text103 string   `protobuf:"bytes,103,opt,name=text103"`
	Num104  int32    `protobuf:"varint,104,opt,name=num104"`
	Text129 string   `protobuf:"bytes,129,opt,name=text129"`
	Num131  int32    `protobuf:"varint,131,opt,name=num131"`
	Num150  int32    `protobuf:"varint,150,opt,name=num150"`
	Num271  int32    `protobuf:"varint,271,opt,name=num271"`
	Num280  int32    `protobuf:"varint,280,opt,name=num280"`
}

// NewPlain returns the request as a plain struct.
func NewPlain() *Plain {
	return &Plain{
		Text1: text, Text4: text, Text7: text, Text9: text, Text18: text, Text102: text, Text103: text, Text129: text,
		Num2: num, Num3: num, Num6: num, Num16: num, Num22: long, Num29: num, Num60: num, Num67: num,
		Num100: num, Num104: num, Num131: num, Num150: num, Num271: num, Num280: num,
		Flag12: true, Flag13: true, Flag17: true, Flag30: true, Flag59: true, Flag80: true,
		List5: []uint64{num},
	}
}

// Pad is [Message.Pad].
func (x *Plain) Pad(n int) { x.Text4 += strings.Repeat("x", n) }

// Tag is [Message.Tag].
func (x *Plain) Tag(n uint32) { x.Num3 = tag(n) }

// Answer is [Message.Answer].
func (x *Plain) Answer() { x.Text1, x.Num2 = done, doneN }

// Check is [Message.Check].
func (x *Plain) Check(n uint32) error {
	return check(n, x.Text1, x.Num2, x.Num3, x.Text129, x.Num280)
}

func tag(n uint32) int32 { return int32(num + n%tagRange) }

// check looks at the two fields that the server changes, at the tag, and at
// the last text and the last field of the message, which come through whole
// only if all before them did.
func check(n uint32, text1 string, num2, num3 int32, text129 string, num280 int32) error {
	switch {
	case text1 != done || num2 != doneN:
		return fmt.Errorf("benchpb: the server did not answer: text1 is %q, num2 is %d", text1, num2)
	case num3 != tag(n):
		return fmt.Errorf("benchpb: the reply to another call: tag %d, sent %d", num3, tag(n))
	case text129 != text || num280 != num:
		return fmt.Errorf("benchpb: damaged reply: text129 is %q, num280 is %d", text129, num280)
	}
	return nil
}
