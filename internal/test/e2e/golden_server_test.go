package e2e

import (
	"bufio"
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/rawproto"
)

// byPlugin are the exchanges of raw whose answers come from a plugin; its own
// tests replay them at a server. Here they are replayed as frames and at a client.
var byPlugin = map[string]string{
	"secure/with-secure": "secure",
	"secure/with-secure-again (same ciphertext? -> ECB)": "secure",
	"secure/with-accept-secure":                          "secure",
	"secure/error-status-plain":                          "secure",
	"secure/repeating-blocks":                            "secure",
	"secure/wrong-key":                                   "secure",
	"proxy/call-form-codec/leg1-client-proxy":            "proxy",
	"proxy/call-backend-closed/leg1-client-proxy":        "proxy",
	"overloader/handler-qps":                             "overloader",
}

// serverExchanges is how many exchanges of raw the tests below replay at a
// server, on top of those of byPlugin and those that were packed without a
// connection.
const serverExchanges = 29

// loose are the answers that contain a text of Go's decoders.
var loose = map[string]bool{"proxy/call-form-codec/leg2-proxy-backend": true}

// pushedBy is what the server gets by exchanges that are pushes.
var pushedBy = map[string]wiretest.Pushed{
	"raw/push":                      {Method: "/note/say", Body: "hi", Meta: "X-ID=client-001"},
	"proxy/push/leg1-client-proxy":  {Method: "/note/say", Body: "x"},
	"proxy/push/leg2-proxy-backend": {Method: "/note/say", Body: "x", Meta: "X-Real-IP=127.0.0.1%3A45792"},
}

// TestGoldenRawServer sends our server what v7's clients sent and expects v7's
// answers, with the whole family raw on one connection.
func TestGoldenRawServer(t *testing.T) {
	plain := wiretest.Serve(t, erpc.PeerConfig{ErrorDetail: true})
	erpc.HandleCall(plain.Peer, "/heartbeat", func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	guarded := wiretest.Serve(t, erpc.PeerConfig{}, doorkeeper{})

	exchanges := wiretest.Exchanges(wiretest.Golden(t, "raw"))
	usable := exchanges[indexOf(t, exchanges, "raw/call-json")]
	var family *wiretest.Script // of raw
	count := 0
	for _, e := range exchanges {
		switch of := e.Messages[0].Family(); {
		case of == "direct" || byPlugin[e.Name] != "":
			continue
		case of == "raw":
			if family == nil {
				family = wiretest.DialScript(t, "tcp", plain.Addr)
			}
			serverExchange(t, family, plain, e)
		case of == "auth":
			s := wiretest.DialScript(t, "tcp", guarded.Addr)
			serverExchange(t, s, guarded, e)
			if strings.HasSuffix(e.Name, "/fail") {
				s.WantEnd()
			} else {
				serverExchange(t, s, guarded, usable)
			}
		default:
			s := wiretest.DialScript(t, "tcp", plain.Addr)
			serverExchange(t, s, plain, e)
			serverExchange(t, s, plain, usable)
		}
		count++
	}
	serverExchange(t, family, plain, usable)
	if count != serverExchanges {
		t.Errorf("replayed %d exchanges at a server, want %d", count, serverExchanges)
	}
}

func serverExchange(t *testing.T, s *wiretest.Script, p *wiretest.Peer, e wiretest.Exchange) {
	t.Run(e.Name, func(t *testing.T) {
		answered := false
		for _, v := range e.Messages {
			if v.Dir == wiretest.ToServer {
				s.Send(v.Bytes)
				continue
			}
			answered = answered || v.Fields.Mtype != erpc.TypePush
			if loose[e.Name] {
				wantLoosely(t, s.Frame(false), v)
			} else {
				wantFrame(t, s.Frame(false), v)
			}
		}
		if push, ok := pushedBy[e.Name]; ok {
			p.WantPush(t, push)
		} else if !answered {
			s.Want([]byte(pushbackReply))
		}
	})
}

// pushbackReply is the reply to the call that v7 answered with a push first;
// the capture has only the push.
const pushbackReply = "\x00\x00\x00\x15\x00\x01t\x02\x00\x00\x06code=0\x00\x00j2"

// wantLoosely checks a failed reply whose cause differs from v7's.
func wantLoosely(t *testing.T, frame []byte, v wiretest.Vector) {
	t.Helper()
	got, want := unpacked(t, frame), unpacked(t, v.Bytes)
	if got.Seq() != want.Seq() || got.Mtype() != want.Mtype() || got.BodyCodec() != want.BodyCodec() || len(got.Raw()) > 0 ||
		got.Status().Code() != want.Status().Code() || got.Status().Msg() != want.Status().Msg() || got.Status().Cause() == nil {
		t.Errorf("%v, want like %v", got, want)
	}
}

func unpacked(t *testing.T, frame []byte) erpc.Message {
	t.Helper()
	m := erpc.NewMessage()
	if err := rawproto.New().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatal(err)
	}
	return m
}

func indexOf(t *testing.T, exchanges []wiretest.Exchange, name string) int {
	t.Helper()
	for i, e := range exchanges {
		if e.Name == name {
			return i
		}
	}
	t.Fatalf("%s was not captured", name)
	return -1
}

// doorkeeper does on the server what v7's auth plugin did in the captures.
type doorkeeper struct{}

func (doorkeeper) Name() string { return "doorkeeper" }

func (doorkeeper) PostAccept(sess erpc.PreSession) *erpc.Status {
	in := sess.PreReceive(func(erpc.Header) any { return new(string) })
	if !in.StatusOK() {
		return in.Status()
	}
	if in.Mtype() != erpc.TypeAuthCall {
		return erpc.NewStatusByCodeText(erpc.CodeUnauthorized, "not an AUTH_CALL", false)
	}
	if token := *in.Body().(*string); token != "client-auth-info-12345" {
		st := erpc.NewStatus(403, "auth fail", "auth fail detail")
		if st := sess.PreSend(erpc.TypeAuthReply, "", nil, st, erpc.WithBodyCodec('s')); !st.OK() {
			return st
		}
		return st
	}
	return sess.PreSend(erpc.TypeAuthReply, "", "pass", nil, erpc.WithBodyCodec('s'))
}
