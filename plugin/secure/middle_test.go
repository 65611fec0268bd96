package secure_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
	"github.com/goerpc/erpc/plugin/secure"
	"github.com/goerpc/erpc/proto/rawproto"
)

// pack returns the frame of a message that was read, with the same body or another.
func pack(t *testing.T, m erpc.Message, body []byte) []byte {
	t.Helper()
	m.SetBody(body)
	b, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reply reads frames until one is a reply.
func reply(t *testing.T, s *wiretest.Script) erpc.Message {
	t.Helper()
	for {
		if m := unpacked(t, s.Frame(false)); m.Mtype() == erpc.TypeReply {
			return m
		}
	}
}

// A client's sealed messages are not meant for that client: an attacker in the
// middle who sends them back gets nothing executed, unless both sides are
// configured for relayed messages.
func TestSealedCallsAndPushesAreNotTakenFromTheirSender(t *testing.T) {
	for name, relayed := range map[string]bool{"direct": false, "relayed": true} {
		t.Run(name, func(t *testing.T) {
			cfg := secure.Config{Keys: []secure.Key{one}, StatusCode: 4321, Relayed: relayed}
			lis := wiretest.ListenScript(t)
			cli := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(cfg))
			executed := make(chan string, 10)
			erpc.HandleCall(cli.Peer, "/transfer", func(context.Context, *int) (*int, error) {
				executed <- "call"
				return nil, nil
			})
			erpc.HandlePush(cli.Peer, "/transfer", func(context.Context, *int) error {
				executed <- "push"
				return nil
			})
			sess := cli.MustDial(t, lis.Addr())
			middle := lis.Accept()

			if st := sess.Push("/transfer", 1, secure.WithSecureMeta()); !st.OK() {
				t.Fatal(st)
			}
			pushed := middle.Frame(false)
			sess.AsyncCall("/transfer", 1, nil, nil, secure.WithSecureMeta()) // it ends with the session
			called := middle.Frame(false)
			middle.Send(pushed)
			middle.Send(called)
			st := reply(t, middle).Status()
			if want := int32(4321); !relayed && st.Code() != want || relayed && !st.OK() {
				t.Errorf("the call that came back was answered with %v", st)
			}
			if n := len(executed); (n > 0) != relayed {
				t.Errorf("%d of the messages that came back were executed", n)
			}
		})
	}
}

// With MaxAge a recorded call or push is accepted once.
func TestRecordedMessagesAreTakenOnce(t *testing.T) {
	for name, maxAge := range map[string]time.Duration{"any age": 0, "a minute": time.Minute} {
		t.Run(name, func(t *testing.T) {
			cfg := secure.Config{Keys: []secure.Key{one}, StatusCode: 4321, MaxAge: maxAge}
			srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.New(cfg))
			lis := wiretest.ListenScript(t)
			sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(cfg)).MustDial(t, lis.Addr())
			sess.AsyncCall("/math/add", []int{1}, nil, nil, secure.WithSecureMeta()) // it ends with the session
			recorded := lis.Accept().Frame(false)
			for i := range 3 {
				s := wiretest.DialScript(t, "tcp", srv.Addr) // a new connection each time
				s.Send(recorded)
				if st := reply(t, s).Status(); st.OK() != (i == 0 || maxAge == 0) {
					t.Errorf("time %d: %v", i+1, st)
				}
			}
		})
	}
}

// A sealed reply to a clear call answers only that call.
func TestSealedRepliesToClearCallsAnswerOneCall(t *testing.T) {
	cfg := secure.Config{Keys: []secure.Key{one}, StatusCode: 4321}
	srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.New(cfg))
	lis := wiretest.ListenScript(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.New(cfg)).MustDial(t, lis.Addr())
	middle, backend := lis.Accept(), wiretest.DialScript(t, "tcp", srv.Addr)
	call := func(code int32, want any, change func(erpc.Message) []byte) {
		t.Helper()
		started := wiretest.Call{
			Method: "/math/add", Arg: []int{1, 2}, Want: want, Code: code, Settings: set(secure.WithAcceptSecureMeta(true)),
		}.Start(sess)
		backend.Send(middle.Frame(false))
		m := reply(t, backend)
		middle.Send(pack(t, m, change(m)))
		if err := started.End(); err != nil {
			t.Error(err)
		}
	}
	var earlier []byte
	call(0, 3, func(m erpc.Message) []byte { earlier = bytes.Clone(m.Raw()); return earlier })
	call(4321, nil, func(erpc.Message) []byte { return earlier })
	call(0, 3, func(m erpc.Message) []byte { return bytes.Clone(m.Raw()) })
}

// Sealed messages pass through a proxy, which adds metadata, without either side
// having to know about it.
func TestSealedThroughAProxy(t *testing.T) {
	backend := wiretest.Serve(t, erpc.PeerConfig{}, secure.NewPlugin(4321, key1))
	to := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, backend.Addr)
	front := &wiretest.Peer{Peer: erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)},
		proxy.NewPlugin(func(*proxy.Label) proxy.Forwarder { return to }))}
	front.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.NewPlugin(4321, key1)).MustDial(t, front.Addr)
	for _, settings := range [][]erpc.MessageSetting{
		set(secure.WithSecureMeta()), set(secure.WithAcceptSecureMeta(true)),
		set(secure.WithSecureMeta(), erpc.WithTimeout(wiretest.Limit), erpc.WithAddMeta("User", "ann")),
	} {
		if err := (wiretest.Call{Method: "/enc/str", Arg: secret, Want: secret, Settings: settings}).Do(sess); err != nil {
			t.Error(err)
		}
	}
	got := make(chan string, 1)
	erpc.HandlePush(backend.Peer, "/news", func(_ context.Context, s *string) error {
		got <- *s
		return nil
	})
	if st := sess.Push("/news", secret, secure.WithSecureMeta()); !st.OK() {
		t.Fatal(st)
	}
	select {
	case s := <-got:
		if s != secret {
			t.Errorf("the push became %q", s)
		}
	case <-time.After(wiretest.Limit):
		t.Fatal("the push did not come through")
	}
}
