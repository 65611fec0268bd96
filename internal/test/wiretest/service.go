package wiretest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
)

// Filters registers the transfer filters of the vectors: gzip as 'g', md5 as
// 'm'. Calling it again does nothing.
var Filters = sync.OnceFunc(func() {
	gzip.Reg('g', "gizp-5", 5)
	md5.Reg('m', "md5")
})

// Pushed is a PUSH that arrived; Meta is query text.
type Pushed struct{ Method, Body, Meta string }

// Route registers the service behind the vectors: /math/*, /enc/*, the pushes
// /note/say and Note.Say, and the thrift vectors' Home.*. In addition,
// /math/nested calls back /client/add of its caller, which [RouteClient] serves.
func Route(p erpc.Peer, pushed func(Pushed)) {
	p.RouteCall(new(Math))
	p.RouteCall(new(Enc))
	routeNotes(p, pushed)
	erpc.HandleCall(p, "Home.Test", func(_ context.Context, a *Author) (*Author, error) {
		return &Author{a.Author + "->OK"}, nil
	})
	erpc.HandleCall(p, "Home.Json", func(_ context.Context, m *map[string]int) (*map[string]int, error) {
		return m, nil
	})
	erpc.HandleCall(p, "Home.Fail", func(context.Context, *Author) (*Author, error) {
		return nil, erpc.NewStatus(1001, "bad thing", errors.New("cause")).Err()
	})
}

// RouteClient registers what a client of the service serves: the push
// /note/say, and /client/add for /math/nested.
func RouteClient(p erpc.Peer, pushed func(Pushed)) {
	p.RouteCall(new(Client))
	routeNotes(p, pushed)
}

func routeNotes(p erpc.Peer, pushed func(Pushed)) {
	p.RoutePush(&Note{pushed: pushed})
	erpc.HandlePush(p, "Note.Say", func(ctx context.Context, a *Author) error {
		c := erpc.PushCtxFrom(ctx)
		pushed(Pushed{c.ServiceMethod(), a.Author, c.CopyMeta().String()})
		return nil
	})
}

// Math serves /math/*.
type Math struct{ erpc.CallCtx }

// Add returns the sum.
func (*Math) Add(arg *[]int) (int, *erpc.Status) { return sum(*arg), nil }

// Fail returns a status with everything that a status can have.
func (*Math) Fail(*[]int) (int, *erpc.Status) {
	return 0, erpc.NewStatus(1001, "bad thing", "cause & x=1 100%")
}

// FailNoCause returns a status without a cause.
func (*Math) FailNoCause(*[]int) (int, *erpc.Status) { return 0, erpc.NewStatus(1002, "no cause") }

// Boom panics.
func (*Math) Boom(*[]int) (int, *erpc.Status) { panic("boom!") }

// Meta returns metadata, two entries with one key.
func (m *Math) Meta(*[]int) (int, *erpc.Status) {
	m.SetMeta("server", "s 1")
	m.AddMeta("k", "v1")
	m.AddMeta("k", "v2")
	return 1, nil
}

// Pushback pushes to the caller before it returns. Over protocols without a
// PUSH there is only the result.
func (m *Math) Pushback(*[]int) (int, *erpc.Status) {
	if st := m.Session().Push("/note/say", "hello", erpc.WithBodyCodec('j'), erpc.WithAddMeta("from", "srv")); !st.OK() {
		m.Infof("pushback: %v", st)
	}
	return 2, nil
}

// Gz adds a filter to the reply.
func (m *Math) Gz(*[]int) (int, *erpc.Status) {
	m.AddXferPipe('g')
	return 3, nil
}

// RealIP returns the address of the original caller.
func (m *Math) RealIP(*[]int) (string, *erpc.Status) { return m.CallCtx.RealIP(), nil }

// Nested lets its caller add the numbers, and adds 100.
func (m *Math) Nested(arg *[]int) (int, *erpc.Status) {
	var answer int
	st := m.Session().Call("/client/add", *arg, &answer, erpc.WithBodyCodec('j')).Status()
	return answer + 100, st
}

// Client serves /client/add.
type Client struct{ erpc.CallCtx }

// Add returns the sum.
func (*Client) Add(arg *[]int) (int, *erpc.Status) { return sum(*arg), nil }

// Enc serves /enc/*: its methods return their argument.
type Enc struct{ erpc.CallCtx }

// Pb takes protobuf.
func (*Enc) Pb(arg *Pair) (*Pair, *erpc.Status) { return arg, nil }

// Thrift takes a thrift struct.
func (*Enc) Thrift(arg *Author) (*Author, *erpc.Status) { return arg, nil }

// Form takes a form, XML or JSON.
func (*Enc) Form(arg *F) (*F, *erpc.Status) { return arg, nil }

// Plain takes text.
func (*Enc) Plain(arg *string) (string, *erpc.Status) { return *arg, nil }

// PlainI takes a number as text.
func (*Enc) PlainI(arg *int) (int, *erpc.Status) { return *arg, nil }

// Str takes a string.
func (*Enc) Str(arg *string) (string, *erpc.Status) { return *arg, nil }

// Bytes takes undecoded bytes.
func (*Enc) Bytes(arg *[]byte) ([]byte, *erpc.Status) { return slices.Clone(*arg), nil }

// Empty takes and returns nothing.
func (*Enc) Empty(*struct{}) (*struct{}, *erpc.Status) { return nil, nil }

// Note serves the push /note/say.
type Note struct {
	erpc.PushCtx
	pushed func(Pushed)
}

// Say reports the push.
func (n *Note) Say(arg *string) *erpc.Status {
	n.pushed(Pushed{n.ServiceMethod(), *arg, n.CopyMeta().String()})
	return nil
}

func sum(list []int) int {
	total := 0
	for _, n := range list {
		total += n
	}
	return total
}
