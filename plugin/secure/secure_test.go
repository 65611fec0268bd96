package secure_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/ignorecase"
	"github.com/goerpc/erpc/plugin/secure"
	"github.com/goerpc/erpc/proto/rawproto"
)

const (
	key1 = "the first key of 32 random bytes"
	key2 = "the other key of 32 random bytes"
)

var (
	one = secure.Key{ID: "k1", Key: key1}
	two = secure.Key{ID: "k2", Key: key2}
)

func set(s ...erpc.MessageSetting) []erpc.MessageSetting { return s }

// A pair is a server and a session with it; a test can put something in between.
type pair struct {
	srv  *wiretest.Peer
	sess erpc.Session
	wire *wire
}

func newPair(t *testing.T, server, client erpc.Plugin) *pair {
	t.Helper()
	p := &pair{srv: wiretest.Serve(t, erpc.PeerConfig{}, server), wire: &wire{}}
	p.srv.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		return bytes.Clone(ctx.InputBodyBytes()), nil
	})
	p.sess = wiretest.NewClient(t, erpc.PeerConfig{}, p.wire, client).MustDial(t, p.srv.Addr)
	return p
}

const secret = "attack at dawn, attack at dawn, attack at dawn"

// TestSealed makes calls of every kind and looks at their bytes on the wire.
func TestSealed(t *testing.T) {
	for _, cfg := range []secure.Config{
		{Keys: []secure.Key{one}},
		{Keys: []secure.Key{one}, Cipher: secure.AESGCM},
		{Keys: []secure.Key{one}, Text: true},
	} {
		t.Run(cfg.Cipher, func(t *testing.T) {
			p := newPair(t, secure.New(cfg), secure.New(cfg))
			sealed := secure.WithSecureMeta()
			for _, c := range []struct {
				call       wiretest.Call
				sent, back bool // in clear
			}{
				{wiretest.Call{Name: "clear", Method: "/enc/str", Arg: secret, Want: secret}, true, true},
				{wiretest.Call{Name: "sealed", Method: "/enc/str", Arg: secret, Want: secret, Settings: set(sealed)}, false, false},
				{wiretest.Call{Name: "accept", Method: "/enc/str", Arg: secret, Want: secret,
					Settings: set(secure.WithAcceptSecureMeta(true))}, true, false},
				{wiretest.Call{Name: "refuse", Method: "/enc/str", Arg: secret, Want: secret,
					Settings: set(sealed, secure.WithAcceptSecureMeta(false))}, false, true},
				{wiretest.Call{Name: "plain", Method: "/enc/plain", Arg: secret, Want: secret, Settings: set(sealed, erpc.WithBodyCodec('s'))}, false, false},
				{wiretest.Call{Name: "pb", Method: "/enc/pb", Arg: &wiretest.Pair{First: secret}, Want: wiretest.Pair{First: secret},
					Settings: set(sealed, erpc.WithBodyCodec('p'))}, false, false},
				{wiretest.Call{Name: "bytes", Method: "/enc/bytes", Arg: []byte(secret), Want: []byte(secret), Settings: set(sealed)}, false, false},
				{wiretest.Call{Name: "unknown", Method: "/un/known", Arg: []byte(secret), Want: []byte(secret), Settings: set(sealed)}, false, false},
				{wiretest.Call{Name: "empty", Method: "/enc/empty", Settings: set(sealed)}, false, false},
				{wiretest.Call{Name: "filtered", Method: "/enc/str", Arg: secret, Want: secret,
					Settings: set(sealed, erpc.WithXferPipe('g'), erpc.WithAddMeta("a", "1"), erpc.WithAddMeta("a", "2"))}, false, false},
				{wiretest.Call{Name: "fails", Method: "/math/fail", Arg: []int{1}, Settings: set(sealed),
					Status: "code=1001&msg=bad%20thing&cause=cause%20%26%20x%3D1%20100%25"}, false, false},
			} {
				p.wire.take()
				if err := c.call.Do(p.sess); err != nil {
					t.Errorf("%s: %v", c.call.Name, err)
				}
				wrote, read := p.wire.take()
				if got := strings.Contains(wrote, "attack"); got != c.sent {
					t.Errorf("%s: sent in clear: %t", c.call.Name, got)
				}
				if got := strings.Contains(read, "attack"); got != c.back {
					t.Errorf("%s: answered in clear: %t", c.call.Name, got)
				}
				if strings.Contains(wrote, key1[:8]) {
					t.Errorf("%s: the key was sent", c.call.Name)
				}
			}
			if st := p.sess.Push("/note/say", secret, sealed); !st.OK() {
				t.Fatal(st)
			}
			p.srv.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: secret, Meta: "X-Secure=true"})
			if wrote, _ := p.wire.take(); strings.Contains(wrote, "attack") {
				t.Error("the push was sent in clear")
			}
		})
	}
}

// TestNothingRepeats: two equal calls do not have a single block in common, and do
// not contain a hash of the key.
func TestNothingRepeats(t *testing.T) {
	p := newPair(t, secure.NewPlugin(0, key1), secure.NewPlugin(0, key1))
	call := wiretest.Call{Method: "/enc/plain", Arg: strings.Repeat("0123456789abcdef", 8), Settings: set(secure.WithSecureMeta(), erpc.WithBodyCodec('s'))}
	var bodies [2][]byte
	for i := range bodies {
		if err := call.Do(p.sess); err != nil {
			t.Fatal(err)
		}
		wrote, _ := p.wire.take()
		bodies[i] = bytes.Clone(unpacked(t, []byte(wrote)).Raw())
	}
	head := 3 + len("default")
	if !bytes.Equal(bodies[0][:head], []byte("\x02\x01\x07default")) {
		t.Errorf("the body begins with %q", bodies[0][:head])
	}
	seen := map[string]bool{}
	for _, b := range bodies {
		for b = b[head+8:]; len(b) >= 16; b = b[16:] {
			if seen[string(b[:16])] {
				t.Errorf("block %x occurs twice", b[:16])
			}
			seen[string(b[:16])] = true
		}
	}
}

// TestChangedOnTheWay changes one part of a sealed call at a time.
func TestChangedOnTheWay(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.New(secure.Config{Keys: []secure.Key{one}, StatusCode: 4321, Unbound: []string{"Trace"}}))
	erpc.HandleCall(srv.Peer, "/Enc/str", func(_ context.Context, s *string) (*string, error) { return s, nil })
	lis := wiretest.ListenScript(t)
	cli := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(secure.Config{Keys: []secure.Key{one}}))
	sess := cli.MustDial(t, lis.Addr())
	cmd := sess.AsyncCall("/enc/str", secret, nil, nil, secure.WithSecureMeta(), erpc.WithSetMeta("user", "bob"))
	frame := lis.Accept().Frame(false)
	_ = cmd // it ends with the session
	for _, tc := range []struct {
		name   string
		change func(m erpc.Message, body []byte) []byte
		want   int32
	}{
		{"nothing", func(_ erpc.Message, b []byte) []byte { return b }, 0},
		{"address of the caller", func(m erpc.Message, b []byte) []byte { m.Meta().Set("X-Real-IP", "1.2.3.4"); return b }, 0},
		{"own metadata", func(m erpc.Message, b []byte) []byte { m.Meta().Set("X-Erpc-Timeout", "1000"); return b }, 0},
		{"unbound metadata", func(m erpc.Message, b []byte) []byte { m.Meta().Set("trace", "1"); return b }, 0},
		{"method in another case", func(m erpc.Message, b []byte) []byte { m.SetServiceMethod("/Enc/str"); return b }, 4321},
		{"metadata in another case", func(m erpc.Message, b []byte) []byte {
			m.Meta().Del("user")
			m.Meta().Set("User", "bob")
			return b
		}, 4321},
		{"time", func(_ erpc.Message, b []byte) []byte { b[12] ^= 1; return b }, 4321},
		{"method", func(m erpc.Message, b []byte) []byte { m.SetServiceMethod("/enc/plain"); return b }, 4321},
		{"metadata changed", func(m erpc.Message, b []byte) []byte { m.Meta().Set("user", "root"); return b }, 4321},
		{"metadata added", func(m erpc.Message, b []byte) []byte { m.Meta().Add("user", "root"); return b }, 4321},
		{"other metadata added", func(m erpc.Message, b []byte) []byte { m.Meta().Add("admin", "1"); return b }, 4321},
		{"metadata removed", func(m erpc.Message, b []byte) []byte { m.Meta().Del("user"); return b }, 4321},
		{"reply asked for in clear", func(m erpc.Message, b []byte) []byte { m.Meta().Set("X-Accept-Secure", "false"); return b }, 4321},
		{"codec", func(m erpc.Message, b []byte) []byte { m.SetBodyCodec('s'); return b }, 4321},
		{"version", func(_ erpc.Message, b []byte) []byte { b[0]++; return b }, 4321},
		{"cipher", func(_ erpc.Message, b []byte) []byte { b[1] = 2; return b }, 4321},
		{"no such cipher", func(_ erpc.Message, b []byte) []byte { b[1] = 0; return b }, 4321},
		{"key", func(_ erpc.Message, b []byte) []byte { b[3] = 'x'; return b }, 4321},
		{"nonce", func(_ erpc.Message, b []byte) []byte { b[14] ^= 1; return b }, 4321},
		{"text", func(_ erpc.Message, b []byte) []byte { b[len(b)-20] ^= 1; return b }, 4321},
		{"tag", func(_ erpc.Message, b []byte) []byte { b[len(b)-1] ^= 1; return b }, 4321},
		{"cut", func(_ erpc.Message, b []byte) []byte { return b[:len(b)-1] }, 4321},
		{"all but the head cut", func(_ erpc.Message, b []byte) []byte { return b[:5] }, 4321},
		{"all cut", func(_ erpc.Message, b []byte) []byte { return nil }, 4321},
		{"v7's", func(_ erpc.Message, b []byte) []byte {
			return []byte(`{"cipherversion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"a2b37762f05bf0fc18a57076ca4d4a0c"}`)
		}, 4321},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := unpacked(t, frame)
			m.SetBody(tc.change(m, bytes.Clone(m.Raw())))
			again, err := rawproto.New().Pack(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			s := wiretest.DialScript(t, "tcp", srv.Addr)
			s.Send(again)
			for {
				reply := unpacked(t, s.Frame(false))
				if reply.Mtype() != erpc.TypeReply {
					continue // the message which says that the server is erpc
				}
				if st := reply.Status(); st.Code() != tc.want || st.Cause() != nil {
					t.Errorf("got %v, want code %d and no detail", st, tc.want)
				}
				return
			}
		})
	}
	t.Run("as a push", func(t *testing.T) {
		m := unpacked(t, frame)
		m.SetMtype(erpc.TypePush)
		m.SetServiceMethod("/note/say")
		m.SetBody(bytes.Clone(m.Raw()))
		b, err := rawproto.New().Pack(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		s := wiretest.DialScript(t, "tcp", srv.Addr)
		s.Send(b)
		s.Send([]byte("\x00\x00\x00\x24\x00\x011\x01\x09/math/add\x00\x06code=0\x00\x00j[1,2,3]"))
		s.Frame(false)
		if err := sessDoes(t, srv, wiretest.Call{Method: "/math/add", Arg: []int{1}, Want: 1}); err != nil {
			t.Error(err)
		}
	})
}

func sessDoes(t *testing.T, srv *wiretest.Peer, c wiretest.Call) error {
	t.Helper()
	return c.Do(wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr))
}

// TestFalseReplies: a server in the middle answers a sealed call with a clear
// reply, with the reply to an earlier call, or with the call itself.
func TestFalseReplies(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.NewPlugin(4321, key1))
	lis := wiretest.ListenScript(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.NewPlugin(4321, key1)).MustDial(t, lis.Addr())
	middle := lis.Accept()
	backend := wiretest.DialScript(t, "tcp", srv.Addr)
	var earlier []byte // the body of the first reply
	for _, tc := range []struct {
		name   string
		answer func(call, reply erpc.Message) []byte
		want   int32
	}{
		{"as it is", func(_, reply erpc.Message) []byte { earlier = bytes.Clone(reply.Raw()); return earlier }, 0},
		{"clear", func(_, reply erpc.Message) []byte { reply.Meta().Del("X-Secure"); return []byte("6") }, 4321},
		{"earlier", func(_, _ erpc.Message) []byte { return earlier }, 4321},
		{"reflected", func(call, _ erpc.Message) []byte { return bytes.Clone(call.Raw()) }, 4321},
	} {
		t.Run(tc.name, func(t *testing.T) {
			started := wiretest.Call{Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Settings: set(secure.WithSecureMeta())}.Start(sess)
			frame := middle.Frame(false)
			backend.Send(frame)
			reply := unpacked(t, backend.Frame(false))
			reply.SetBody(tc.answer(unpacked(t, frame), reply))
			b, err := rawproto.New().Pack(nil, reply)
			if err != nil {
				t.Fatal(err)
			}
			middle.Send(b)
			if tc.want != 0 {
				started.Call.Code, started.Call.Want = tc.want, nil
			}
			if err := started.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRotation replaces a key while calls are made.
func TestRotation(t *testing.T) {
	server, client := secure.New(secure.Config{Keys: []secure.Key{one}}), secure.New(secure.Config{Keys: []secure.Key{one}})
	p := newPair(t, server, client)
	for i, step := range []struct {
		who  *secure.Secure
		keys []secure.Key
		ok   bool
		id   string // of the key that the client seals with
	}{
		{server, []secure.Key{one, two}, true, "k1"},
		{client, []secure.Key{two, one}, true, "k2"},
		{server, []secure.Key{two}, true, "k2"},
		{client, []secure.Key{two}, true, "k2"},
		{server, []secure.Key{one}, false, "k2"},
	} {
		if err := step.who.SetKeys(step.keys...); err != nil {
			t.Fatal(err)
		}
		p.wire.take()
		call := wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3, Settings: set(secure.WithSecureMeta())}
		if !step.ok {
			call.Want, call.Code = nil, erpc.CodeBadMessage
		}
		if err := call.Do(p.sess); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
		if wrote, _ := p.wire.take(); !strings.Contains(wrote, "\x02\x01\x02"+step.id) {
			t.Errorf("step %d: %q was not sealed with %s", i, wrote, step.id)
		}
	}
	if err := client.SetKeys(); err == nil {
		t.Error("all keys can be removed")
	}
	same := secure.Key{ID: "k2", Key: key1} // another key under the same ID
	if err := client.SetKeys(same); err != nil {
		t.Fatal(err)
	}
	if err := server.SetKeys(two); err != nil {
		t.Fatal(err)
	}
	if err := (wiretest.Call{Method: "/math/add", Arg: []int{1}, Code: erpc.CodeBadMessage, Settings: set(secure.WithSecureMeta())}).Do(p.sess); err != nil {
		t.Error(err)
	}
}

// TestRequired: some routes of a server and a client accept only sealed messages.
func TestRequired(t *testing.T) {
	clear := func(method string, code int32) wiretest.Call {
		return wiretest.Call{Name: "clear " + method, Method: method, Arg: []int{1}, Code: code}
	}
	for name, cfg := range map[string]secure.Config{
		"all but some": {Keys: []secure.Key{one}, IgnoreCase: true, Require: true, Optional: []string{"/enc/*"}},
		"some":         {Keys: []secure.Key{one}, IgnoreCase: true, Required: []string{"/MATH/*", "/note/say"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.New(cfg), ignorecase.NewIgnoreCase())
			optional := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(secure.Config{Keys: []secure.Key{one}, IgnoreCase: true})).MustDial(t, srv.Addr)
			for _, c := range []wiretest.Call{
				clear("/math/add", erpc.CodeBadMessage),
				clear("/Math/Add", erpc.CodeBadMessage),
				{Method: "/math/add", Arg: []int{1}, Want: 1, Settings: set(secure.WithSecureMeta())},
				{Method: "/Math/ADD", Arg: []int{1}, Want: 1, Settings: set(secure.WithSecureMeta())},
				{Method: "/math/add", Arg: []int{1}, Want: 1, Settings: set(secure.WithSecureMeta(), secure.WithAcceptSecureMeta(false))},
				{Method: "/enc/str", Arg: secret, Want: secret},
			} {
				if err := c.Do(optional); err != nil {
					t.Errorf("%s %s: %v", c.Name, c.Method, err)
				}
			}
			if st := optional.Push("/note/say", "in clear"); !st.OK() {
				t.Fatal(st)
			}
			// A client that requires sealing as well need not be asked for it, and
			// accepts no clear reply.
			w := &wire{}
			strict := wiretest.NewClient(t, erpc.PeerConfig{}, w, secure.New(cfg)).MustDial(t, srv.Addr)
			if err := (wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}).Do(strict); err != nil {
				t.Error(err)
			}
			if wrote, _ := w.take(); !strings.Contains(wrote, "X-Secure=true") {
				t.Errorf("sent in clear: %q", wrote)
			}
			if st := strict.Push("/note/say", "sealed"); !st.OK() {
				t.Fatal(st)
			}
			srv.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "sealed", Meta: "X-Secure=true"}) // not the clear one
			lis := wiretest.ListenScript(t)
			sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(cfg)).MustDial(t, lis.Addr())
			started := clear("/math/add", erpc.CodeBadMessage).Start(sess)
			s := lis.Accept()
			s.Frame(false)
			s.Send([]byte("\x00\x00\x00\x15\x00\x011\x02\x00\x00\x06code=0\x00\x00j3"))
			if err := started.End(); err != nil {
				t.Errorf("a clear reply: %v", err)
			}
		})
	}
}

// TestOfARoute adds the plugin to one route of a server.
func TestOfARoute(t *testing.T) {
	p := secure.New(secure.Config{Keys: []secure.Key{one}, Require: true})
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	srv.SubRoute("/safe").RouteCall(new(wiretest.Math), p)
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(secure.Config{Keys: []secure.Key{one}})).MustDial(t, srv.Addr)
	for _, c := range []wiretest.Call{
		{Method: "/math/add", Arg: []int{1}, Want: 1},
		{Method: "/safe/math/add", Arg: []int{1}, Code: erpc.CodeBadMessage},
		{Method: "/safe/math/add", Arg: []int{1}, Want: 1, Settings: set(secure.WithSecureMeta())},
	} {
		if err := c.Do(sess); err != nil {
			t.Errorf("%s: %v", c.Method, err)
		}
	}
}

// TestEnforce: a handler asks for a sealed reply.
func TestEnforce(t *testing.T) {
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, secure.NewPlugin(0, key1))
	srv.RouteCallFunc(tell)
	srv.Listen(t)
	w := &wire{}
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, w, secure.NewPlugin(0, key1)).MustDial(t, srv.Addr)
	if err := (wiretest.Call{Method: "/tell", Want: secret}).Do(sess); err != nil {
		t.Error(err)
	}
	if _, read := w.take(); strings.Contains(read, "attack") {
		t.Errorf("answered in clear: %q", read)
	}
}

func tell(ctx erpc.CallCtx, _ *struct{}) (string, *erpc.Status) {
	secure.EnforceSecure(ctx.Output())
	return secret, nil
}

// TestMistakes: with invalid keys no peer is made, and no handler is registered.
func TestMistakes(t *testing.T) {
	for name, p := range map[string]erpc.Plugin{
		"no key":   secure.New(secure.Config{}),
		"short":    secure.NewPlugin(1, "0123456789abcde"),
		"no id":    secure.New(secure.Config{Keys: []secure.Key{{Key: key1}}}),
		"same id":  secure.New(secure.Config{Keys: []secure.Key{one, one}}),
		"cipher":   secure.New(secure.Config{Keys: []secure.Key{one}, Cipher: "rot13"}),
		"weak key": secure.NewWeakV7Plugin(1, "0123456789abcde"),
	} {
		t.Run(name, func(t *testing.T) {
			panics(t, func() { erpc.NewPeer(erpc.PeerConfig{}, p) })
			srv := wiretest.NewClient(t, erpc.PeerConfig{})
			panics(t, func() { srv.RouteCall(new(wiretest.Math), p) })
		})
	}
}

func panics(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("it was let through")
		}
	}()
	f()
}

// TestLog: the log says what the other side does not support.
func TestLog(t *testing.T) {
	var book bytes.Buffer
	var mu sync.Mutex
	srv := wiretest.Serve(t, erpc.PeerConfig{Logger: slog.New(slog.NewTextHandler(&locked{&mu, &book}, nil))}, secure.New(secure.Config{Keys: []secure.Key{one}}))
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(secure.Config{Keys: []secure.Key{two}})).MustDial(t, srv.Addr)
	st := sess.Call("/math/add", []int{1}, nil, secure.WithSecureMeta()).Status()
	if got := string(st.AppendQuery(nil)); got != "code=400&msg=decrypt%20ciphertext%20error" {
		t.Errorf("the caller got %s", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(book.String(), "method=/math/add") || !strings.Contains(book.String(), "remote=127.0.0.1") || !strings.Contains(book.String(), "another key") {
		t.Errorf("the log does not mention it: %s", book.String())
	}
}
