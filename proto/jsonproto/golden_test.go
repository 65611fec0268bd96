package jsonproto_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/jsonproto"
)

// calls are the exchanges that v7's client made, all on one session.
var calls = map[string]wiretest.Call{
	"jsonproto/call": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Codec: 'j', Exact: true,
		Settings: []erpc.MessageSetting{erpc.WithAddMeta("author", "andeya")}},
	"jsonproto/status": {Method: "/math/fail", Arg: []int{1}, Status: "code=1001&msg=bad%20thing&cause=cause%20%26%20x%3D1%20100%25"},
	"jsonproto/gzip": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6,
		Settings: []erpc.MessageSetting{erpc.WithXferPipe('g')}},
	"jsonproto/json-map-string":                 {Method: "/enc/str", Arg: "plain", Want: "plain"},
	"jsonproto/string-with-quote-and-backslash": {Method: "/enc/str", Arg: "a\"b\\c\n\t", Code: erpc.CodeBadMessage},
	"jsonproto/plain-newline": {Method: "/enc/plain", Arg: "line1\nline2", Want: "line1\nline2",
		Settings: []erpc.MessageSetting{erpc.WithBodyCodec('s')}},
	"jsonproto/body-nil": {Method: "/enc/empty", Want: struct{}{}},
}

// differs reports whether we may write other bytes than v7: output of a
// compressor, and bodies that v7 does not escape.
func differs(v wiretest.Vector) bool {
	return v.Fields.XferIDs != "" || v.Name == "jsonproto/plain-newline"
}

// unescaped is the call whose body v7 cuts when it reads its own message; it
// answers that it can't decode the rest. We escape the body, so that v7 would read
// all of it, and answer v7's bytes as v7 does.
const unescaped = "jsonproto/string-with-quote-and-backslash"

func unpack(t *testing.T, frame []byte) *message.Message {
	t.Helper()
	m := new(message.Message)
	if err := jsonproto.New().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatalf("%q: %v", frame, err)
	}
	return m
}

// repack returns the frame of what was unpacked.
func repack(t *testing.T, m *message.Message) []byte {
	t.Helper()
	m.SetBody(m.Raw())
	frame, err := jsonproto.New().Pack(nil, m)
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

// TestGoldenFrames reads each message of v7, compares it with what encoding/json
// finds, and packs it again.
func TestGoldenFrames(t *testing.T) {
	vectors := wiretest.Golden(t, "jsonproto")
	for _, v := range vectors {
		m := unpack(t, v.Bytes)
		if int(m.Size()) != len(v.Bytes) || string(m.XferPipe().IDs()) != v.Fields.XferIDs {
			t.Errorf("%s: size %d, filters %q", v.Name, m.Size(), m.XferPipe().IDs())
		}
		var want struct {
			Seq                               int32
			Mtype, BodyCodec                  byte
			ServiceMethod, Status, Meta, Body string
		}
		switch payload := []byte(v.Fields.Payload); {
		case v.Name == unescaped && v.Dir == wiretest.ToServer: // "a\"b\\c…: it ends at the second quote
			payload = append(bytes.Clone(payload[:bytes.Index(payload, []byte(`b\\c`))]), '}')
			unmarshal(t, payload, &want)
		default:
			unmarshal(t, bytes.ReplaceAll(payload, []byte("\n"), []byte(`\n`)), &want)
		}
		if m.Seq() != want.Seq || m.Mtype() != want.Mtype || m.BodyCodec() != want.BodyCodec ||
			m.ServiceMethod() != want.ServiceMethod || string(m.Status().AppendQuery(nil)) != want.Status ||
			m.Meta().String() != want.Meta || string(m.Raw()) != want.Body {
			t.Errorf("%s: got %v with body %q, want %+v", v.Name, m, m.Raw(), want)
		}
		if v.Name != unescaped || v.Dir == wiretest.ToClient {
			wantFrame(t, repack(t, m), v)
		}
	}
	if len(vectors) != 15 {
		t.Errorf("%d vectors, want 15", len(vectors))
	}
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
}

// TestGoldenServer sends our server what v7's client sent and expects v7's
// answers.
func TestGoldenServer(t *testing.T) {
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: jsonproto.NewJSONProtoFunc(), ErrorDetail: true}) // v7 tells why it can't decode
	s := wiretest.DialScript(t, "tcp", p.Addr)
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "jsonproto")) {
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
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: jsonproto.NewJSONProtoFunc()})
	sess := p.MustDial(t, lis.Addr())
	s := lis.Accept()
	seq := int32(0)
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "jsonproto")) {
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
			sent := s.Frame(true)
			if e.Name == unescaped {
				if m := unpack(t, sent); string(m.Raw()) != `"a\"b\\c\n\t"` {
					t.Errorf("sent body %q", m.Raw())
				}
			} else {
				wantFrame(t, sent, e.Messages[0])
			}
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
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: jsonproto.NewJSONProtoFunc(), ReadLimit: 1 << 10})
	c := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: jsonproto.NewJSONProtoFunc()})
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
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: jsonproto.NewJSONProtoFunc(), ErrorDetail: true}) // v7 tells why it can't decode
	s := wiretest.DialScript(t, "tcp", p.Addr)
	s.Send([]byte{0, 0, 0, 0})
	s.WantEnd()
}
