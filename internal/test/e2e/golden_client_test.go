package e2e

import (
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
)

// clientExchanges is how many exchanges of raw a client replays: all except those
// packed without a connection.
const clientExchanges = 38

// rawCalls are the calls of the family raw as a program makes them. Exchanges of
// other families use the captured bodies, as bytes.
var rawCalls = map[string]wiretest.Call{
	"raw/call-json": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6},
	"raw/call-json-meta": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Settings: settings(
		erpc.WithAddMeta("author", "andeya"), erpc.WithAddMeta("k", "a b&=é"))},
	"raw/reply-meta":                  {Method: "/math/meta", Arg: []int{1}, Want: 1},
	"raw/status-msg-cause":            {Method: "/math/fail", Arg: []int{1}, Want: 0},
	"raw/status-panic":                {Method: "/math/boom", Arg: []int{1}, Want: 0},
	"raw/status-not-found":            {Method: "/no/such", Arg: []int{1}, Want: 0},
	"raw/status-empty-service-method": {Method: "", Arg: []int{1}, Want: 0},
	"raw/gzip":                        {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Settings: settings(erpc.WithXferPipe('g'))},
	"raw/md5":                         {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Settings: settings(erpc.WithXferPipe('m'))},
	"raw/body-protobuf": {Method: "/enc/pb", Arg: &wiretest.Pair{First: "v1", Second: "txt"},
		Want: wiretest.Pair{First: "v1", Second: "txt"}, Settings: settings(erpc.WithBodyCodec('p'))},
	"raw/body-thrift": {Method: "/enc/thrift", Arg: &wiretest.Author{Author: "andeya"},
		Want: wiretest.Author{Author: "andeya"}, Settings: settings(erpc.WithBodyCodec('t'))},
	"raw/body-xml": {Method: "/enc/form", Arg: &wiretest.F{A: 1, B: "x<y", L: []string{"p", "q"}},
		Want: wiretest.F{A: 1, B: "x<y", L: []string{"p", "q"}}, Settings: settings(erpc.WithBodyCodec('x'))},
	"raw/body-plain":       {Method: "/enc/plain", Arg: "plain text é", Want: "plain text é", Settings: settings(erpc.WithBodyCodec('s'))},
	"raw/body-json-string": {Method: "/enc/str", Arg: "a\"b\\c\n", Want: "a\"b\\c\n"},
	"raw/body-bytes":       {Method: "/enc/bytes", Arg: []byte{0, 1, 2, 255}, Want: []byte{0, 1, 2, 255}},
	"raw/body-nil":         {Method: "/enc/empty", Want: struct{}{}},
	"raw/body-empty-struct-protobuf": {Method: "/enc/empty", Arg: new(struct{}), Want: struct{}{},
		Settings: settings(erpc.WithBodyCodec('p'))},
	"raw/accept-body-codec-form": {Method: "/enc/form", Arg: &wiretest.F{A: 1}, Want: wiretest.F{A: 1},
		Settings: settings(erpc.WithAcceptBodyCodec('f'))},
	"raw/call-with-server-push": {Method: "/math/pushback", Arg: []int{1}, Want: 2},
}

func settings(s ...erpc.MessageSetting) []erpc.MessageSetting { return s }

// TestGoldenRawClient makes the calls that v7's clients made, with our client. It
// expects that v7's bytes are sent and v7's answers are understood.
func TestGoldenRawClient(t *testing.T) {
	lis := wiretest.ListenScript(t)
	var family *clientSession // of raw
	count := 0
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "raw")) {
		switch e.Messages[0].Family() {
		case "direct":
			continue
		case "auth":
			authExchange(t, lis, e)
		case "raw":
			if family == nil {
				family = newClientSession(t, lis)
			}
			family.exchange(t, e)
		default:
			newClientSession(t, lis).exchange(t, e)
		}
		count++
	}
	if count != clientExchanges {
		t.Errorf("replayed %d exchanges at a client, want %d", count, clientExchanges)
	}
}

// A clientSession is a client's session with a script.
type clientSession struct {
	sess   erpc.Session
	peer   *wiretest.Peer
	script *wiretest.Script
	seq    int32 // of the last message
}

func newClientSession(t *testing.T, lis *wiretest.ScriptListener) *clientSession {
	t.Helper()
	p := wiretest.NewClient(t, erpc.PeerConfig{})
	return &clientSession{sess: p.MustDial(t, lis.Addr()), peer: p, script: lis.Accept()}
}

// exchange makes the call or push of e.
func (c *clientSession) exchange(t *testing.T, e wiretest.Exchange) {
	t.Run(e.Name, func(t *testing.T) {
		first := e.Messages[0]
		c.skipTo(t, first.Fields.Seq)
		if first.Fields.Mtype == erpc.TypePush {
			c.push(t, e)
			return
		}
		call, typed := rawCalls[e.Name]
		reply := e.Messages[len(e.Messages)-1]
		answers := e.Messages[1:]
		switch {
		case !typed && first.Family() == "raw":
			t.Fatal("rawCalls lacks this exchange")
		case !typed:
			call = wiretest.RawCall(first, reply)
		case reply.Fields.Mtype == erpc.TypePush:
			reply = wiretest.Vector{Bytes: []byte(pushbackReply), Fields: wiretest.Fields{BodyCodec: 'j'}}
			answers = append(answers, reply)
		}
		call.Status, call.Meta, call.Codec, call.Exact = reply.Fields.Status, reply.Fields.Meta, reply.Fields.BodyCodec, true
		started := call.Start(c.sess)
		wantFrame(t, c.script.Frame(false), first)
		for _, v := range answers {
			c.script.Send(v.Bytes)
			if v.Fields.Mtype == erpc.TypePush {
				c.peer.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hello", Meta: "from=srv"})
			}
		}
		if err := started.End(); err != nil {
			t.Error(err)
		}
	})
}

func (c *clientSession) push(t *testing.T, e wiretest.Exchange) {
	v := e.Messages[0]
	s := wiretest.RawCall(v, wiretest.Vector{}).Settings
	var arg any = "hi"
	if e.Name != "raw/push" {
		arg = []byte(v.Fields.Body)
	}
	if st := c.sess.Push(v.Fields.ServiceMethod, arg, s...); !st.OK() {
		t.Fatal(st)
	}
	wantFrame(t, c.script.Frame(false), v)
}

// skipTo sends messages that are not in the capture, so that the next one has the
// sequence number seq.
func (c *clientSession) skipTo(t *testing.T, seq int32) {
	t.Helper()
	for ; c.seq+1 < seq; c.seq++ {
		if st := c.sess.Push("/gap", nil); !st.OK() {
			t.Fatal(st)
		}
		if m := unpacked(t, c.script.Frame(false)); m.Seq() != c.seq+1 || m.ServiceMethod() != "/gap" {
			t.Fatalf("got %v, want seq %d", m, c.seq+1)
		}
	}
	c.seq = seq
}

// authExchange sends a token in a connect hook, as v7's auth plugin did.
func authExchange(t *testing.T, lis *wiretest.ScriptListener, e wiretest.Exchange) {
	t.Run(e.Name, func(t *testing.T) {
		call, reply := e.Messages[0], e.Messages[1]
		p := wiretest.NewClient(t, erpc.PeerConfig{}, &bearer{token: string(call.Fields.Body)})
		type dialed struct {
			sess erpc.Session
			st   *erpc.Status
		}
		done := make(chan dialed, 1)
		go func() {
			sess, st := p.Dial(lis.Addr())
			done <- dialed{sess, st}
		}()
		script := lis.Accept()
		wantFrame(t, script.Frame(false), call)
		script.Send(reply.Bytes)
		select {
		case d := <-done:
			if got := string(d.st.AppendQuery(nil)); got != reply.Fields.Status {
				t.Errorf("Dial: %s, want %s", got, reply.Fields.Status)
			}
			if !d.st.OK() {
				script.WantEnd()
				return
			}
			if got, _ := d.sess.Swap().Load("answer"); got != string(reply.Fields.Body) {
				t.Errorf("answer %q, want %q", got, reply.Fields.Body)
			}
			c := &clientSession{sess: d.sess, peer: p, script: script, seq: 1}
			c.skipTo(t, 3) // after AUTH_CALL 1, the first message is 2
		case <-time.After(wiretest.Limit):
			t.Fatal("Dial did not return")
		}
	})
}

// bearer does on the client what v7's auth plugin did in the captures.
type bearer struct{ token string }

func (*bearer) Name() string { return "bearer" }

func (b *bearer) PostDial(sess erpc.PreSession, _ bool) *erpc.Status {
	if st := sess.PreSend(erpc.TypeAuthCall, "", b.token, nil, erpc.WithBodyCodec('s')); !st.OK() {
		return st
	}
	in := sess.PreReceive(func(erpc.Header) any { return new(string) })
	if !in.StatusOK() {
		return in.Status()
	}
	if in.Mtype() != erpc.TypeAuthReply {
		return erpc.NewStatusByCodeText(erpc.CodeUnauthorized, "not an AUTH_REPLY", false)
	}
	sess.Swap().Store("answer", *in.Body().(*string))
	return nil
}
