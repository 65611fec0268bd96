package secure_test

import (
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/secure"
)

const (
	v7Key  = "cipherkey1234567"
	v7Code = 100001
)

func captured(t *testing.T) []wiretest.Exchange {
	t.Helper()
	var all []wiretest.Exchange
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "raw")) {
		if e.Messages[0].Family() == "secure" {
			all = append(all, e)
		}
	}
	if len(all) != 7 {
		t.Fatalf("%d exchanges, want 7", len(all))
	}
	return all
}

// TestWeakGoldenServer sends what v7's client sent, and expects v7's answers.
func TestWeakGoldenServer(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.NewWeakV7Plugin(v7Code, v7Key))
	for _, e := range captured(t) {
		t.Run(e.Name, func(t *testing.T) {
			s := wiretest.DialScript(t, "tcp", srv.Addr)
			s.Send(e.Messages[0].Bytes)
			s.Want(e.Messages[1].Bytes)
		})
	}
}

// TestWeakGoldenClient makes the calls that v7's client made: they encrypt and
// decrypt what v7 did.
func TestWeakGoldenClient(t *testing.T) {
	plain := map[string]wiretest.Call{
		"secure/with-secure": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6, Settings: []erpc.MessageSetting{secure.WithSecureMeta()}},
		"secure/with-secure-again (same ciphertext? -> ECB)": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6,
			Settings: []erpc.MessageSetting{secure.WithSecureMeta()}},
		"secure/with-accept-secure": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6,
			Settings: []erpc.MessageSetting{secure.WithAcceptSecureMeta(true)}},
		"secure/none": {Method: "/math/add", Arg: []int{1, 2, 3}, Want: 6},
	}
	done := 0
	for _, e := range captured(t) {
		call, ok := plain[e.Name]
		if !ok {
			continue
		}
		done++
		t.Run(e.Name, func(t *testing.T) {
			lis := wiretest.ListenScript(t)
			sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.NewWeakV7Plugin(v7Code, v7Key)).MustDial(t, lis.Addr())
			s := lis.Accept()
			for range e.Messages[0].Fields.Seq - 1 { // so that the sequence number is that of the capture
				if st := sess.Push("/gap", nil); !st.OK() {
					t.Fatal(st)
				}
				s.Frame(false)
			}
			started := call.Start(sess)
			s.Want(e.Messages[0].Bytes)
			s.Send(e.Messages[1].Bytes)
			if err := started.End(); err != nil {
				t.Error(err)
			}
		})
	}
	if done != len(plain) {
		t.Errorf("%d exchanges, want %d", done, len(plain))
	}
}

func TestWeakLiveV7(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	t.Run("v7 calls us", func(t *testing.T) {
		srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.NewWeakV7Plugin(v7Code, v7Key))
		checks := []string{"secure/call", "secure/accept", "secure/refuse", "secure/clear", "secure/pb", "secure/fail", "secure/push"}
		done := wiretest.CallV7(t, v7peer, "-secure", v7Key, "-only", strings.Join(checks, ","), "-addr", srv.Addr)
		for _, name := range checks {
			if !done[name].OK {
				t.Errorf("v7 did not succeed with %s", name)
			}
		}
		srv.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "secret", Meta: "X-Secure=true"})
	})
	t.Run("we call v7", func(t *testing.T) {
		s := wiretest.ServeV7(t, v7peer, "-secure", v7Key)
		sess := wiretest.NewClient(t, erpc.PeerConfig{}, secure.NewWeakV7Plugin(v7Code, v7Key)).MustDial(t, s.Addr)
		sealed := secure.WithSecureMeta()
		for _, c := range []wiretest.Call{
			{Name: "clear", Method: "/math/add", Arg: []int{1, 2}, Want: 3},
			{Name: "encrypted", Method: "/math/add", Arg: []int{1, 2}, Want: 3, Settings: []erpc.MessageSetting{sealed}},
			{Name: "accept", Method: "/math/add", Arg: []int{1, 2}, Want: 3, Settings: []erpc.MessageSetting{secure.WithAcceptSecureMeta(true)}},
			{Name: "pb", Method: "/enc/pb", Arg: &wiretest.Pair{First: "a", Second: "b"}, Want: wiretest.Pair{First: "a", Second: "b"},
				Settings: []erpc.MessageSetting{sealed, erpc.WithBodyCodec('p')}},
		} {
			if err := c.Do(sess); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
	})
}

// TestWeakGarbage sends envelopes that v7 would not send, some of which crash v7.
func TestWeakGarbage(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, secure.NewWeakV7Plugin(v7Code, v7Key))
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for body, code := range map[string]int32{
		`{"cipherversion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":""}`:                                 v7Code,
		`{"cipherversion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"zz"}`:                               v7Code,
		`{"cipherversion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"00"}`:                               v7Code,
		`{"cipherversion":"1ba49884c59b16619f411c7c80343c9c","ciphertext":"00000000000000000000000000000000"}`: v7Code,
		`{"cipherversion":"other","ciphertext":"00"}`:                                                          v7Code,
		`[1`: erpc.CodeBadMessage,
	} {
		c := wiretest.Call{Method: "/math/add", Arg: []byte(body), Code: code, Settings: []erpc.MessageSetting{secure.WithSecureMeta()}}
		if err := c.Do(sess); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
