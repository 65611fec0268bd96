package auth_test

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/socket/websocket"
)

// tokens are what the clients of a test present, and the users they stand for.
var tokens = map[string]*auth.Identity{
	"t-ann": {Name: "ann", Roles: []string{"admin", "user"}},
	"t-bob": {Name: "bob", Roles: []string{"user"}},
}

// newLogin returns the plugin, and where each of the credentials was found.
func newLogin() (*auth.CheckerPlugin, <-chan auth.Via) {
	ways := make(chan auth.Via, 100)
	return auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		ways <- c.Via
		return tokens[c.Token], nil
	}}), ways
}

// whoami answers with the name of the identity that the handler finds.
func whoami(p *wiretest.Peer) {
	erpc.HandleCall(p.Peer, "/whoami", func(ctx context.Context, _ *struct{}) (*string, error) {
		name := "nobody"
		if id := auth.IdentityOf(erpc.CallCtxFrom(ctx).Session()); id != nil {
			name = id.Name
		}
		return &name, nil
	})
}

// loggedIn dials and returns the user that the server takes the client for.
func loggedIn(sess erpc.Session, st *erpc.Status) (name string, _ *erpc.Status) {
	if !st.OK() {
		return "", st
	}
	return name, sess.Call("/whoami", nil, &name).Status()
}

// One plugin accepts a token however a client can present it, and in each case the
// handler knows the user.
func TestLoginInEveryWay(t *testing.T) {
	login, ways := newLogin()
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, login)
	whoami(srv)
	srv.Listen(t)
	web := wiretest.NewServer(t, erpc.PeerConfig{Network: "ws"}, login)
	whoami(web)
	web.Listen(t)

	dialWS := func(h http.Header) (erpc.Session, *erpc.Status) {
		return wiretest.NewClient(t, erpc.PeerConfig{
			Network: "ws", Transports: []erpc.Transport{websocket.Transport{Config: websocket.Config{Header: h}}},
		}).Dial(web.Addr)
	}
	for _, tc := range []struct {
		name string
		via  auth.Via
		dial func(token string) (erpc.Session, *erpc.Status)
	}{
		{"exchange", auth.ViaExchange, func(token string) (erpc.Session, *erpc.Status) {
			return wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).Dial(srv.Addr)
		}},
		{"exchange in JSON", auth.ViaExchange, func(token string) (erpc.Session, *erpc.Status) {
			return wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token(token), erpc.WithBodyCodec('j'))).Dial(srv.Addr)
		}},
		{"call", auth.ViaCall, func(token string) (erpc.Session, *erpc.Status) {
			return wiretest.NewClient(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "login", OnPostDial: func(s erpc.PreSession, _ bool) *erpc.Status {
				return s.PreCall(auth.DefaultLoginMethod, token, nil)
			}}).Dial(srv.Addr)
		}},
		{"WebSocket, exchange", auth.ViaExchange, func(token string) (erpc.Session, *erpc.Status) {
			return wiretest.NewClient(t, erpc.PeerConfig{Network: "ws"}, bearer(token)).Dial(web.Addr)
		}},
		{"WebSocket, header", auth.ViaHandshake, func(token string) (erpc.Session, *erpc.Status) {
			return dialWS(http.Header{"Authorization": {"Bearer " + token}})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, token := range []string{"t-ann", "t-bob"} {
				name, st := loggedIn(tc.dial(token))
				if !st.OK() || name != tokens[token].Name {
					t.Fatalf("with the token of %s: %q, %v", tokens[token].Name, name, st)
				}
				if via := await(t, "the check", ways); via != tc.via {
					t.Errorf("the token came in %v, want %v", via, tc.via)
				}
			}
			for _, token := range []string{"", "wrong"} {
				if name, st := loggedIn(tc.dial(token)); st.OK() {
					t.Errorf("with the token %q the client got in as %q", token, name)
				} else if tc.via != auth.ViaHandshake && st.Code() != erpc.CodeUnauthorized {
					t.Errorf("with the token %q: %v, want code %d", token, st, erpc.CodeUnauthorized)
				}
				await(t, "the check", ways)
			}
		})
	}
}

// A client that calls without logging in is told why the call fails.
func TestFirstCallWithoutLoginIsAnswered(t *testing.T) {
	login, _ := newLogin()
	srv := wiretest.Serve(t, erpc.PeerConfig{}, login)
	sess, st := wiretest.NewClient(t, erpc.PeerConfig{}).Dial(srv.Addr)
	if !st.OK() {
		t.Fatal(st)
	}
	if st := sess.Call("/math/add", []int{1}, nil).Status(); st.Code() != erpc.CodeUnauthorized {
		t.Errorf("%v, want code %d", st, erpc.CodeUnauthorized)
	}
	await(t, "the end of the session", sess.CloseNotify())
}

// Several sessions of one user are found by the user's name.
func TestSessionsOfAnIdentity(t *testing.T) {
	login, _ := newLogin()
	srv := wiretest.Serve(t, erpc.PeerConfig{}, login)
	for _, token := range []string{"t-ann", "t-bob", "t-ann"} {
		wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).MustDial(t, srv.Addr)
	}
	eventually(t, "the sessions", func() bool { return srv.CountSession() == 3 })
	for name, want := range map[string]int{"ann": 2, "bob": 1, "eve": 0} {
		if got := auth.SessionsOf(srv, name); len(got) != want {
			t.Errorf("%s has %d sessions, want %d", name, len(got), want)
		}
	}
	for _, s := range auth.SessionsOf(srv, "ann") {
		if id := auth.IdentityOf(s); !id.HasRole("admin") || id.HasRole("root") {
			t.Errorf("the roles of ann are %v", id.Roles)
		}
	}
	var nobody *auth.Identity
	if nobody.HasRole("admin") {
		t.Error("nobody is an admin")
	}
}

// The proof of a key is an identity, too; a Passed function may set another.
func TestHMACSetsTheIdentity(t *testing.T) {
	for _, tc := range []struct {
		passed func(auth.Session, string) *erpc.Status
		want   string
	}{
		{nil, "alice"},
		{func(s auth.Session, id string) *erpc.Status {
			auth.SetIdentity(s, &auth.Identity{Name: strings.ToUpper(id)})
			return nil
		}, "ALICE"},
	} {
		srv := wiretest.NewServer(t, erpc.PeerConfig{}, auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring, Passed: tc.passed}))
		whoami(srv)
		srv.Listen(t)
		if name, st := loggedIn(wiretest.NewClient(t, erpc.PeerConfig{}, hmacBearer("alice", key)).Dial(srv.Addr)); !st.OK() || name != tc.want {
			t.Errorf("%q, %v, want %s", name, st, tc.want)
		}
	}
}

// A stranger's message is bounded before it is parsed: 16 MiB of spaces must not
// become a list of strings, nor 16 MiB of XML a tree.
func TestStrangersMessagesAreBoundedBeforeTheyAreParsed(t *testing.T) {
	login, ways := newLogin()
	checkers := map[string]*auth.CheckerPlugin{
		"token": likeV7(auth.CheckerConfig{}),
		"hmac":  auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring}),
		"login": login,
	}
	const size = 16 << 20
	for name, checker := range checkers {
		srv := wiretest.Serve(t, erpc.PeerConfig{}, checker)
		for _, attack := range []struct {
			name string
			set  erpc.MessageSetting
			body []byte
		}{
			{"spaces", erpc.WithBodyCodec('s'), bytes.Repeat([]byte(" "), size)},
			{"xml", erpc.WithBodyCodec('x'), bytes.Repeat([]byte("<b>"), size/3)},
			{"json", erpc.WithBodyCodec('j'), bytes.Repeat([]byte("["), size)},
			{"unknown codec", erpc.WithBodyCodec(200), bytes.Repeat([]byte("x"), size)},
		} {
			t.Run(name+"/"+attack.name, func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, st := wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(func(_ auth.Session, send auth.SendOnce) *erpc.Status {
					return send(attack.body, nil)
				}, attack.set)).Dial(srv.Addr)
				runtime.ReadMemStats(&after)
				if st.OK() {
					t.Error("the client got in")
				}
				// The frame itself is held at both ends, and copied once or twice.
				if n := after.TotalAlloc - before.TotalAlloc; n > 8*size {
					t.Errorf("%d MiB were allocated for a message of %d MiB", n>>20, size>>20)
				}
			})
		}
	}
	if len(ways) > 0 {
		t.Error("the check was asked about it")
	}
}

// Filters can expand a small message to a large one, so the exchange has none.
func TestFiltersAreRefused(t *testing.T) {
	wiretest.Filters()
	srv := wiretest.Serve(t, erpc.PeerConfig{}, likeV7(auth.CheckerConfig{}))
	_, st := wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token(token), erpc.WithBodyCodec('s'), erpc.WithXferPipe('g'))).Dial(srv.Addr)
	if st.Code() != erpc.CodeUnauthorized {
		t.Errorf("%v, want code %d", st, erpc.CodeUnauthorized)
	}
}

// Strangers can be refused at any rate: the log gets at most one line a second,
// with the number of refusals, and the counters count all of them.
func TestRefusalsAreCountedMoreOftenThanLogged(t *testing.T) {
	const refused = 50
	book := &logbook{}
	p := likeV7(auth.CheckerConfig{})
	srv := wiretest.Serve(t, erpc.PeerConfig{Logger: book.logger()}, p)
	cli := wiretest.NewClient(t, erpc.PeerConfig{}, bearer("wrong"))
	for range refused {
		if _, st := cli.Dial(srv.Addr); st.OK() {
			t.Fatal("a client got in")
		}
	}
	eventually(t, "the counts", func() bool { return p.Counts().Refused == refused })
	lines := slices.Collect(func(yield func(string) bool) {
		book.mu.Lock()
		defer book.mu.Unlock()
		for l := range strings.Lines(book.text.String()) {
			if strings.Contains(l, "auth: refused") && !yield(l) {
				return
			}
		}
	})
	if len(lines) == 0 || len(lines) > 5 {
		t.Errorf("%d lines for %d refusals", len(lines), refused)
	}
}

// The browser's way also works with the JSON sub-protocol of package clients/js.
func TestLoginOverTheJSONSubprotocol(t *testing.T) {
	login, _ := newLogin()
	srv := wiretest.NewServer(t, erpc.PeerConfig{
		Network: "ws", Transports: []erpc.Transport{websocket.Transport{Config: websocket.Config{Messages: true}}},
	}, login)
	whoami(srv)
	lis, err := srv.Peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis, jsonproto.NewSubProtoFunc()) // says that the peer was closed
	}()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	cli := wiretest.NewClient(t, erpc.PeerConfig{Network: "ws", Transports: []erpc.Transport{websocket.Transport{Config: websocket.Config{
		Messages: true, Header: http.Header{"Authorization": {"Bearer t-bob"}},
	}}}})
	if name, st := loggedIn(cli.Dial(lis.Addr().String(), jsonproto.NewSubProtoFunc())); !st.OK() || name != "bob" {
		t.Errorf("%q, %v", name, st)
	}
}
