package thriftproto_test

import (
	"slices"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/thriftproto"
)

// TestImportChangesNothing: a peer without settings has the usual names and codec,
// although this program imports the package.
func TestImportChangesNothing(t *testing.T) {
	p := newPeer(t, erpc.PeerConfig{})
	if names := p.RouteCall(new(Calculator)); !slices.Contains(names, "/calculator/get_items") {
		t.Errorf("registered %q", names)
	}
	p.Listen(t)
	cmd := newPeer(t, erpc.PeerConfig{}).MustDial(t, p.Addr).Call("/none", nil, nil)
	if id := cmd.Output().BodyCodec(); id != codec.ID_JSON {
		t.Errorf("the codec is %q", id)
	}
}

// door asks every client for a token.
type door struct{}

func (door) Name() string { return "door" }

func (door) PostAccept(sess erpc.PreSession) *erpc.Status {
	in := sess.PreReceive(func(erpc.Header) any { return new(string) })
	if !in.StatusOK() {
		return in.Status()
	}
	if in.Mtype() != erpc.TypeAuthCall || *in.Body().(*string) != "token" {
		return erpc.NewStatus(401, "Unauthorized")
	}
	return sess.PreSend(erpc.TypeAuthReply, "", "come in", nil, erpc.WithBodyCodec('s'))
}

// knock shows the token.
type knock struct{ got *string }

func (knock) Name() string { return "knock" }

func (k knock) PostDial(sess erpc.PreSession, _ bool) *erpc.Status {
	if st := sess.PreSend(erpc.TypeAuthCall, "", "token", nil, erpc.WithBodyCodec('s')); !st.OK() {
		return st
	}
	in := sess.PreReceive(func(erpc.Header) any { return k.got })
	if in.Mtype() != erpc.TypeAuthReply {
		return erpc.NewStatus(400, "not an answer")
	}
	return in.Status()
}

// TestAuthOverBinary: AUTH messages, which v7 can't write, arrive.
func TestAuthOverBinary(t *testing.T) {
	cfg := erpc.PeerConfig{ProtoFunc: thriftproto.NewBinaryProtoFunc()}
	p := wiretest.Serve(t, cfg, door{})
	var answer string
	sess := wiretest.NewClient(t, cfg, knock{&answer}).MustDial(t, p.Addr)
	if answer != "come in" {
		t.Errorf("answered %q", answer)
	}
	call := wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}
	if err := call.Do(sess); err != nil {
		t.Error(err)
	}
}
