package main

import (
	"errors"

	"github.com/andeya/erpc/v7"
	thrifttest "github.com/andeya/erpc/v7/proto/thriftproto/gen-go/thriftproto_test"
	"github.com/gogo/protobuf/proto"
)

// Pair is the protobuf message of the service: strings 1 and 2.
type Pair struct {
	First  string `protobuf:"bytes,1,opt,name=first,proto3" json:"first,omitempty"`
	Second string `protobuf:"bytes,2,opt,name=second,proto3" json:"second,omitempty"`
}

func (p *Pair) Reset()         { *p = Pair{} }
func (p *Pair) String() string { return proto.CompactTextString(p) }
func (*Pair) ProtoMessage()    {}

// F is the value for form, xml and JSON. Its name is the XML root element.
type F struct {
	A int      `form:"a" xml:"a"`
	B string   `form:"b" xml:"b"`
	L []string `form:"l" xml:"l"`
}

// Math serves /math/*.
type Math struct{ erpc.CallCtx }

func (m *Math) Add(arg *[]int) (int, *erpc.Status) { return sum(*arg), nil }

func (m *Math) Fail(*[]int) (int, *erpc.Status) {
	return 0, erpc.NewStatus(1001, "bad thing", "cause & x=1 100%")
}

func (m *Math) FailNoCause(*[]int) (int, *erpc.Status) {
	return 0, erpc.NewStatus(1002, "no cause")
}

func (m *Math) Boom(*[]int) (int, *erpc.Status) { panic("boom!") }

func (m *Math) Meta(*[]int) (int, *erpc.Status) {
	m.SetMeta("server", "s 1")
	m.AddMeta("k", "v1")
	m.AddMeta("k", "v2")
	return 1, nil
}

// Pushback ignores the status of its push: over http v7 cannot push.
func (m *Math) Pushback(*[]int) (int, *erpc.Status) {
	m.Session().Push("/note/say", "hello", erpc.WithBodyCodec('j'), erpc.WithAddMeta("from", "srv"))
	return 2, nil
}

func (m *Math) Gz(*[]int) (int, *erpc.Status) {
	m.AddXferPipe('g')
	return 3, nil
}

func (m *Math) RealIP(*[]int) (string, *erpc.Status) { return m.CallCtx.RealIP(), nil }

// Nested is not in WIRE.md: it calls /client/add of the caller on the same
// session with its own argument, and returns 100 more than the answer.
func (m *Math) Nested(arg *[]int) (int, *erpc.Status) {
	var answer int
	stat := m.Session().Call("/client/add", *arg, &answer, erpc.WithBodyCodec('j')).Status()
	return answer + 100, stat
}

func sum(list []int) int {
	total := 0
	for _, n := range list {
		total += n
	}
	return total
}

// Client serves /client/add, in the calling peer, for /math/nested.
type Client struct{ erpc.CallCtx }

func (c *Client) Add(arg *[]int) (int, *erpc.Status) { return sum(*arg), nil }

// Enc serves /enc/*: each method returns its argument.
type Enc struct{ erpc.CallCtx }

func (e *Enc) Pb(arg *Pair) (*Pair, *erpc.Status)                           { return arg, nil }
func (e *Enc) Thrift(arg *thrifttest.Test) (*thrifttest.Test, *erpc.Status) { return arg, nil }
func (e *Enc) Form(arg *F) (*F, *erpc.Status)                               { return arg, nil }
func (e *Enc) Plain(arg *string) (string, *erpc.Status)                     { return *arg, nil }
func (e *Enc) PlainI(arg *int) (int, *erpc.Status)                          { return *arg, nil }
func (e *Enc) Str(arg *string) (string, *erpc.Status)                       { return *arg, nil }
func (e *Enc) Bytes(arg *[]byte) ([]byte, *erpc.Status)                     { return *arg, nil }
func (e *Enc) Empty(*struct{}) (*struct{}, *erpc.Status)                    { return nil, nil }

// Home serves the thrift vectors' methods, Home.*.
type Home struct{ erpc.CallCtx }

func (h *Home) Test(arg *thrifttest.Test) (*thrifttest.Test, *erpc.Status) {
	return &thrifttest.Test{Author: arg.Author + "->OK"}, nil
}

func (h *Home) Json(arg *map[string]int) (map[string]int, *erpc.Status) { return *arg, nil }

func (h *Home) Fail(*thrifttest.Test) (*thrifttest.Test, *erpc.Status) {
	return nil, erpc.NewStatus(1001, "bad thing", errors.New("cause"))
}

// sink takes what a peer was sent; pushed may be called concurrently.
type sink interface{ pushed(pushLine) }

func (r *reporter) pushed(p pushLine) { r.line(p) }

// note serves the PUSH /note/say.
type note struct {
	erpc.PushCtx
	to sink
}

func (n *note) Say(arg *string) *erpc.Status {
	n.to.pushed(pushLine{Push: n.ServiceMethod(), Body: *arg, Meta: metaText(n.PushCtx)})
	return nil
}

// thriftNote serves the PUSH Note.Say of the thrift vectors.
type thriftNote struct {
	erpc.PushCtx
	to sink
}

func (n *thriftNote) Say(arg *thrifttest.Test) *erpc.Status {
	n.to.pushed(pushLine{Push: n.ServiceMethod(), Body: arg.Author, Meta: metaText(n.PushCtx)})
	return nil
}

func metaText(ctx erpc.PushCtx) string {
	return string(ctx.CopyMeta().QueryString())
}
