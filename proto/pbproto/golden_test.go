package pbproto_test

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/pbproto"
)

// calls are the exchanges that v7's client made, all on one session.
var calls = map[string]wiretest.Call{
	"pbproto/call": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Codec: 'j', Exact: true,
		Settings: []erpc.MessageSetting{erpc.WithAddMeta("author", "andeya")}},
	"pbproto/not-found":                       {Method: "/no/such", Arg: []int{1}, Status: "code=404&msg=Not%20Found&cause="},
	"pbproto/push-and-reply":                  {Method: "/math/pushback", Arg: []int{1}, Want: 2},
	"pbproto/json-map-string":                 {Method: "/enc/str", Arg: "plain", Want: "plain"},
	"pbproto/string-with-quote-and-backslash": {Method: "/enc/str", Arg: "a\"b\\c\n\t", Want: "a\"b\\c\n\t"},
	"pbproto/plain-newline": {Method: "/enc/plain", Arg: "line1\nline2", Want: "line1\nline2",
		Settings: []erpc.MessageSetting{erpc.WithBodyCodec('s')}},
	"pbproto/body-nil": {Method: "/enc/empty", Want: struct{}{}},
}

// differs reports whether we may write other bytes than v7: never.
func differs(wiretest.Vector) bool { return false }

func unpack(t *testing.T, frame []byte) *message.Message {
	t.Helper()
	m := new(message.Message)
	if err := pbproto.New().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatalf("%q: %v", frame, err)
	}
	return m
}

// repack returns the frame of what was unpacked.
func repack(t *testing.T, m *message.Message) []byte {
	t.Helper()
	m.SetBody(m.Raw())
	frame, err := pbproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// wantFrame compares frame with v7's bytes, or with v7's message where the bytes
// may differ.
func wantFrame(t *testing.T, frame []byte, v wiretest.Vector) {
	t.Helper()
	if !differs(v) {
		if !bytes.Equal(frame, v.Bytes) {
			t.Errorf("got\n%q, want\n%q", frame, v.Bytes)
		}
		return
	}
	got, want := unpack(t, frame), unpack(t, v.Bytes)
	got.SetSize(want.Size())
	if got.String() != want.String() || !bytes.Equal(got.Raw(), want.Raw()) {
		t.Errorf("got\n%v %q, want\n%v %q", got, got.Raw(), want, want.Raw())
	}
}

// TestGoldenFrames reads each message of v7, compares it with what protobuf's
// own reader finds, and packs it again.
func TestGoldenFrames(t *testing.T) {
	vectors := wiretest.Golden(t, "pbproto")
	for _, v := range vectors {
		m := unpack(t, v.Bytes)
		if int(m.Size()) != len(v.Bytes) {
			t.Errorf("%s: size %d, want %d", v.Name, m.Size(), len(v.Bytes))
		}
		wantPayload(t, m, decode(t, v.Fields.Payload))
		wantFrame(t, repack(t, m), v)
	}
	if len(vectors) != 15 {
		t.Errorf("%d vectors, want 15", len(vectors))
	}
}

// TestGoldenServer sends our server what v7's client sent and expects v7's
// answers.
func TestGoldenServer(t *testing.T) {
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: pbproto.NewPbProtoFunc()})
	s := wiretest.DialScript(t, "tcp", p.Addr)
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "pbproto")) {
		t.Run(e.Name, func(t *testing.T) {
			for _, v := range e.Messages {
				if v.Dir == wiretest.ToServer {
					s.Send(v.Bytes)
				} else {
					wantFrame(t, s.Frame(true), v)
				}
			}
			if len(e.Messages) == 1 {
				p.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hi"})
			}
		})
	}
}

// TestGoldenClient makes the calls that v7's client made. It expects v7's bytes,
// and that v7's answers are understood.
func TestGoldenClient(t *testing.T) {
	lis := wiretest.ListenScript(t)
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: pbproto.NewPbProtoFunc()})
	sess := p.MustDial(t, lis.Addr())
	s := lis.Accept()
	seq := int32(0)
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "pbproto")) {
		t.Run(e.Name, func(t *testing.T) {
			for seq++; seq < unpack(t, e.Messages[0].Bytes).Seq(); seq++ { // not in the capture
				if st := sess.Push("/skipped", nil); !st.OK() {
					t.Fatal(st)
				}
				s.Frame(true)
			}
			if len(e.Messages) == 1 {
				if st := sess.Push("/note/say", "hi"); !st.OK() {
					t.Fatal(st)
				}
				wantFrame(t, s.Frame(true), e.Messages[0])
				return
			}
			call, ok := calls[e.Name]
			if !ok {
				t.Fatal("calls lacks this exchange")
			}
			started := call.Start(sess)
			wantFrame(t, s.Frame(true), e.Messages[0])
			for _, v := range e.Messages[1:] {
				s.Send(v.Bytes)
				if unpack(t, v.Bytes).Mtype() == erpc.TypePush {
					p.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hello", Meta: "from=srv"})
				}
			}
			if err := started.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTooLarge: a server refuses a call with a status without reading all of it,
// and closes.
func TestTooLarge(t *testing.T) {
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: pbproto.NewPbProtoFunc(), ReadLimit: 1 << 10})
	c := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: pbproto.NewPbProtoFunc()})
	sess := c.MustDial(t, p.Addr)
	if err := (wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}).Do(sess); err != nil {
		t.Fatal(err)
	}
	if err := (wiretest.Call{Method: "/enc/bytes", Arg: make([]byte, 2<<10), Code: erpc.CodeTooLarge}).Do(sess); err != nil {
		t.Error(err)
	}
}

// TestEmptyFrame: a server closes a connection that sends an empty frame.
func TestEmptyFrame(t *testing.T) {
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: pbproto.NewPbProtoFunc()})
	s := wiretest.DialScript(t, "tcp", p.Addr)
	s.Send([]byte{0, 0, 0, 0})
	s.WantEnd()
}
