package httproto_test

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/httproto"
)

// calls are the exchanges that v7's client made, all on one session.
var calls = map[string]wiretest.Call{
	"http/call-200": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Codec: 'j', Exact: true,
		Settings: []erpc.MessageSetting{erpc.WithAddMeta("author", "andeya")}},
	"http/reply-meta":    {Method: "/math/meta", Arg: []int{1}, Want: 1, Codec: 'j', Exact: true, Meta: "K=v1&K=v2&Server=s%201"},
	"http/status-299":    {Method: "/math/fail", Arg: []int{1}, Status: "code=1001&msg=bad%20thing&cause=cause%20%26%20x%3D1%20100%25"},
	"http/not-found-299": {Method: "/no/such", Arg: []int{1}, Status: "code=404&msg=Not%20Found"},
	"http/gzip": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6,
		Settings: []erpc.MessageSetting{erpc.WithXferPipe('g')}},
	"http/plain": {Method: "/enc/plain", Arg: "hello", Want: "hello",
		Settings: []erpc.MessageSetting{erpc.WithBodyCodec('s')}},
	"http/meta-crlf": {Method: "/math/add", Arg: []int{1}, Want: 1,
		Settings: []erpc.MessageSetting{erpc.WithAddMeta("x", "a\r\nX-Injected: 1")}},
}

// vectors returns v7's messages, except for two exchanges: thrift, which v7 sends
// as text and can't read, and a client that does not know erpc, which v7 does not
// serve.
func vectors(t *testing.T) []wiretest.Exchange {
	t.Helper()
	var es []wiretest.Exchange
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "http")) {
		if e.Name != "http/thrift-codec" && e.Name != "http/net-http-get" {
			es = append(es, e)
		}
	}
	if len(es) != len(calls) {
		t.Fatalf("%d exchanges, want %d", len(es), len(calls))
	}
	return es
}

func unpack(t *testing.T, frame []byte) *message.Message {
	t.Helper()
	m := new(message.Message)
	if err := httproto.NewHTTProtoFunc()().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatalf("%q: %v", frame, err)
	}
	return m
}

// wantFrame compares frame with v7's bytes, except for compressed bodies, which it
// inflates first.
func wantFrame(t *testing.T, frame, v7 []byte) {
	t.Helper()
	if bytes.Equal(frame, v7) {
		return
	}
	got, want := unpack(t, frame), unpack(t, v7)
	if want.XferPipe().Len() == 0 {
		t.Fatalf("got\n%q, want\n%q", frame, v7)
	}
	got.SetSize(want.Size())
	if got.String() != want.String() || !bytes.Equal(got.Raw(), want.Raw()) {
		t.Errorf("got\n%v %q, want\n%v %q", got, got.Raw(), want, want.Raw())
	}
}

// TestGoldenFrames reads each message of v7 and packs it again.
func TestGoldenFrames(t *testing.T) {
	for _, e := range vectors(t) {
		for _, v := range e.Messages {
			m := unpack(t, v.Bytes)
			if int(m.Size()) != len(v.Bytes) {
				t.Errorf("%s: size %d, want %d", v.Name, m.Size(), len(v.Bytes))
			}
			m.SetBody(m.Raw())
			frame, err := httproto.NewHTTProtoFunc()().Pack(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			wantFrame(t, frame, v.Bytes)
		}
	}
}

// TestGoldenServer sends our server what v7's client sent and expects v7's
// answers.
func TestGoldenServer(t *testing.T) {
	p := wiretest.Serve(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	c := dialRaw(t, p.Addr)
	for _, e := range vectors(t) {
		t.Run(e.Name, func(t *testing.T) {
			c.send(string(e.Messages[0].Bytes))
			wantFrame(t, c.frame(), e.Messages[1].Bytes)
		})
	}
}

// TestGoldenClient makes the calls that v7's client made. It expects v7's bytes
// plus the Host that v7 leaves out, and that v7's answers are understood.
func TestGoldenClient(t *testing.T) {
	lis := listenRaw(t)
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	sess := p.MustDial(t, lis.Addr().String())
	c := acceptRaw(t, lis)
	host := "Host: " + lis.Addr().String() + "\r\n"
	seq := int32(1)
	for _, e := range vectors(t) {
		t.Run(e.Name, func(t *testing.T) {
			for want := unpack(t, e.Messages[0].Bytes).Seq(); seq < want; seq++ { // not in the capture
				if st := sess.Push("/skipped", nil); !st.OK() {
					t.Fatal(st)
				}
				if sent := c.frame(); !bytes.Contains(sent, []byte("X-Mtype: 3\r\n")) {
					t.Fatalf("a push was sent as %q", sent)
				}
			}
			seq++
			started := calls[e.Name].Start(sess)
			sent := string(c.frame())
			if !strings.Contains(sent, host) {
				t.Errorf("%q lacks the Host", sent)
			}
			wantFrame(t, []byte(strings.Replace(sent, host, "", 1)), e.Messages[0].Bytes)
			c.send(string(e.Messages[1].Bytes))
			if err := started.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestThriftBody: thrift has a content type here, which v7 lacks.
func TestThriftBody(t *testing.T) {
	m := message.New(message.WithServiceMethod("/a"), message.WithBody([]byte{1}), message.WithBodyCodec(codec.ID_THRIFT))
	m.SetMtype(message.TypeCall)
	frame, err := httproto.NewHTTProtoFunc()().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if got := unpack(t, frame); got.BodyCodec() != codec.ID_THRIFT {
		t.Errorf("the codec of %q is %d", frame, got.BodyCodec())
	}
}
