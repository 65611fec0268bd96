package auth_test

import (
	"bytes"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/auth"
)

func captured(t *testing.T) []wiretest.Exchange {
	t.Helper()
	var all []wiretest.Exchange
	for _, e := range wiretest.Exchanges(wiretest.Golden(t, "raw")) {
		if e.Messages[0].Family() == "auth" {
			all = append(all, e)
		}
	}
	if len(all) != 2 {
		t.Fatalf("%d exchanges, want 2", len(all))
	}
	return all
}

// TestGoldenChecker sends what v7's bearer sent and expects what v7's checker
// answered.
func TestGoldenChecker(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, likeV7(auth.CheckerConfig{Detail: true}))
	for _, e := range captured(t) {
		t.Run(e.Name, func(t *testing.T) {
			s := wiretest.DialScript(t, "tcp", srv.Addr)
			s.Send(e.Messages[0].Bytes)
			s.Want(e.Messages[1].Bytes)
			if e.Messages[1].Fields.Status != "code=0" {
				s.WantEnd()
			}
		})
	}
}

// TestGoldenBearer: the bearer sends the bytes of v7's bearer, and understands the
// answers of v7's checker.
func TestGoldenBearer(t *testing.T) {
	for _, e := range captured(t) {
		t.Run(e.Name, func(t *testing.T) {
			lis := wiretest.ListenScript(t)
			var answer string
			cli := wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(
				func(_ auth.Session, send auth.SendOnce) *erpc.Status {
					return send(string(e.Messages[0].Fields.Body), &answer)
				}, erpc.WithBodyCodec('s')))
			dialed := make(chan *erpc.Status, 1)
			go func() {
				_, st := cli.Dial(lis.Addr())
				dialed <- st
			}()
			s := lis.Accept()
			s.Want(e.Messages[0].Bytes)
			s.Send(e.Messages[1].Bytes)
			st := await(t, "Dial", dialed)
			if got, want := string(st.AppendQuery(nil)), e.Messages[1].Fields.Status; got != want {
				t.Errorf("Dial: %s, want %s", got, want)
			}
			if want := string(e.Messages[1].Fields.Body); answer != want {
				t.Errorf("answer %q, want %q", answer, want)
			}
		})
	}
}

// TestOtherMessageFirst: like v7's, the checker answers a call that arrives before
// the token.
func TestOtherMessageFirst(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, likeV7(auth.CheckerConfig{Detail: true}))
	s := wiretest.DialScript(t, "tcp", srv.Addr)
	s.Send([]byte("\x00\x00\x00\x24\x00\x011\x01\x09/math/add\x00\x06code=0\x00\x00j[1,2,3]"))
	frame := s.Frame(false)
	want := "code=401&msg=Unauthorized&cause=auth%20message%281st%29%20expect%3A%20AUTH_CALL%2C%20but%20received%3A%20CALL"
	if !bytes.Contains(frame, []byte(want)) || frame[7] != erpc.TypeAuthReply {
		t.Errorf("got %q, want an AUTH_REPLY with %s", frame, want)
	}
	s.WantEnd()
}

// TestLiveV7: the real v7 presents a token to this side, and this side presents one
// to v7.
func TestLiveV7(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	t.Run("v7 shows", func(t *testing.T) {
		srv := wiretest.Serve(t, erpc.PeerConfig{}, likeV7(auth.CheckerConfig{}))
		done := wiretest.CallV7(t, v7peer, "-auth", token, "-only", "auth,math/add", "-addr", srv.Addr)
		if !done["auth"].OK || !done["math/add"].OK {
			t.Errorf("v7 ran %v, want auth and math/add", done)
		}
	})
	t.Run("v7 checks", func(t *testing.T) {
		s := wiretest.ServeV7(t, v7peer, "-auth", token)
		works(t, wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).MustDial(t, s.Addr))
		_, st := wiretest.NewClient(t, erpc.PeerConfig{}, bearer("wrong")).Dial(s.Addr)
		if st.Code() != 403 || st.Msg() != "auth fail" {
			t.Errorf("wrong token: %v, want 403 auth fail", st)
		}
	})
}
