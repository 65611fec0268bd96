package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/socket"
)

// expiring returns the plugin of a server whose tokens are the durations that a login
// with them lasts, or "never" for one that does not end.
func expiring() *auth.CheckerPlugin {
	return auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		return lasting(c.Token), nil
	}})
}

// lasting returns the identity of such a token, nil if it is not one.
func lasting(token string) *auth.Identity {
	id := &auth.Identity{Name: "ann"}
	if token == "never" {
		return id
	}
	d, err := time.ParseDuration(token)
	if err != nil {
		return nil
	}
	id.Expires = time.Now().Add(d)
	return id
}

// renew replaces the identity of its session by that of the token.
func renew(ctx context.Context, token *string) (*string, error) {
	auth.SetIdentity(erpc.CallCtxFrom(ctx).Session(), lasting(*token))
	return token, nil
}

// introduce lets each side know that the other is erpc, by a call with a timeout.
func introduce(t *testing.T, sess erpc.Session) {
	t.Helper()
	kit.WantCode(t, "a call of nobody", sess.Call("/nobody", nil, nil, erpc.WithTimeout(time.Second)).Status(), erpc.CodeNotFound)
}

// wantExpired waits for the end of a session and checks that the other side says why.
func wantExpired(t *testing.T, sess erpc.Session) {
	t.Helper()
	await(t, "the end of the session", sess.CloseNotify())
	closed, ok := errors.AsType[*erpc.ClosedError](sess.Err())
	if !ok || closed.Status.Code() != erpc.CodeUnauthorized || !closed.Reconnect || !strings.Contains(closed.Error(), "log in again") {
		t.Errorf("the session ended with %v", sess.Err())
	}
}

// TestSessionEndsWithItsLogin: however the client has logged in.
func TestSessionEndsWithItsLogin(t *testing.T) {
	for name, plugins := range map[string]func() (server, client erpc.Plugin){
		"exchange": func() (_, _ erpc.Plugin) { return expiring(), bearer("1h") },
		"call": func() (_, _ erpc.Plugin) {
			return expiring(), &erpc.PluginImpl{PluginName: "login", OnPostDial: func(s erpc.PreSession, _ bool) *erpc.Status {
				return s.PreCall(auth.DefaultLoginMethod, "1h", nil)
			}}
		},
		"checker": func() (_, _ erpc.Plugin) {
			return auth.NewCheckerPlugin(func(s auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
				var shown string
				st := receive(&shown)
				auth.SetIdentity(s, lasting(shown))
				return "pass", st
			}, erpc.WithBodyCodec('s')), bearer("1h")
		},
		"challenge": func() (_, _ erpc.Plugin) {
			return auth.NewHMACChecker(auth.HMACCheckerConfig{Key: keyring, Passed: func(s auth.Session, _ string) *erpc.Status {
				auth.SetIdentity(s, lasting("1h"))
				return nil
			}}), hmacBearer("alice", key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				on := kit.Memory()
				server, client := plugins()
				srv, addr := kit.Serve(t, on(erpc.PeerConfig{}), server)
				_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{}), client)
				introduce(t, sess)
				time.Sleep(time.Hour - time.Second)
				if !sess.Health() || srv.CountSession() != 1 {
					t.Fatal("the session has ended early")
				}
				time.Sleep(2 * time.Second)
				wantExpired(t, sess)
				if n := srv.CountSession(); n != 0 {
					t.Errorf("there are %d sessions", n)
				}
			})
		})
	}
}

// TestLoginThatIsRenewed: the identity that a session has last decides when it ends.
func TestLoginThatIsRenewed(t *testing.T) {
	for name, tc := range map[string]struct {
		first, then string
		ends        time.Duration // from the renewal; below 0: it does not
	}{
		"later":       {"1h", "2h", 2 * time.Hour},
		"sooner":      {"1h", "1m", time.Minute},
		"no longer":   {"1h", "never", -1},
		"for once":    {"never", "1h", time.Hour},
		"of nobody":   {"1h", "nobody", -1},
		"in the past": {"never", "-1s", 0},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				on := kit.Memory()
				srv, addr := kit.Serve(t, on(erpc.PeerConfig{}), expiring())
				erpc.HandleCall(srv, "/renew", renew)
				_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{}), bearer(tc.first))
				introduce(t, sess)
				time.Sleep(30 * time.Minute)
				begun := time.Now()
				st := sess.Call("/renew", tc.then, nil).Status()
				if tc.ends < 0 {
					time.Sleep(240 * time.Hour)
					if !sess.Health() {
						t.Errorf("the session has ended: %v", sess.Err())
					}
					return
				}
				if tc.ends > time.Second && !st.OK() {
					t.Error(st)
				}
				<-sess.CloseNotify() // or the test is deadlocked
				if took := time.Since(begun); took < tc.ends || took > tc.ends+time.Second {
					t.Errorf("the session ended after %v", took)
				}
				wantExpired(t, sess)
			})
		})
	}
}

// TestExpiredLoginIsRefused: a token that has ended is one that is not valid, at the very
// moment at which it ends, too.
func TestExpiredLoginIsRefused(t *testing.T) {
	for _, token := range []string{"0s", "-1ns", "-1000h"} {
		kit.Bubble(t, func(t *testing.T) {
			on := kit.Memory()
			login := expiring()
			_, addr := kit.Serve(t, on(erpc.PeerConfig{}), login)
			_, st := kit.Peer(t, on(erpc.PeerConfig{}), bearer(token)).Dial(addr)
			kit.WantCode(t, "a login with "+token, st, erpc.CodeUnauthorized)
			synctest.Wait()
			if got := login.Counts(); got != (auth.Counts{Refused: 1}) {
				t.Errorf("counted %+v", got)
			}
		})
	}
}

// TestClientLogsInAgain: a client that redials is asked for a token on each connection.
func TestClientLogsInAgain(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		_, addr := kit.Serve(t, on(erpc.PeerConfig{}), expiring())
		var asked atomic.Int32
		client := auth.NewBearerPlugin(func(_ auth.Session, send auth.SendOnce) *erpc.Status {
			asked.Add(1)
			return send("1h", nil)
		}, erpc.WithBodyCodec('s'))
		_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{RedialTimes: -1}), client)
		introduce(t, sess)
		time.Sleep(210 * time.Minute)
		introduce(t, sess)
		if n := asked.Load(); n != 4 {
			t.Errorf("it was asked for %d tokens in three hours and a half", n)
		}
	})
}

// TestWhatIsAtWorkEnds: calls and streams end with their login, with a status that says so.
func TestWhatIsAtWorkEnds(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		srv, addr := kit.Serve(t, on(erpc.PeerConfig{}), expiring())
		erpc.HandleCall(srv, "/wait", func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		erpc.HandleStream(srv, "/wait", func(ctx context.Context, _ *erpc.Stream[int, int]) error {
			<-ctx.Done()
			return ctx.Err()
		})
		_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{RedialTimes: -1}), bearer("1h"))
		introduce(t, sess)
		call := sess.AsyncCall("/wait", nil, nil, nil)
		stream, err := erpc.OpenStream[int, int](t.Context(), sess, "/wait")
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		await(t, "the end of the call", call.Done())
		for what, st := range map[string]*erpc.Status{"call": call.Status(), "stream": erpc.StatusFromError(err)} {
			if st.Code() != erpc.CodeConnClosed || !strings.Contains(st.String(), "log in again") {
				t.Errorf("the %s ended with %v", what, st)
			}
		}
	})
}

// TestLoginOverHTTPEnds: a request over the connection of a session whose login has ended is
// refused, and one with another token is served, even if the connection goes on because another
// request is at work.
func TestLoginOverHTTPEnds(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("busy=%t", busy), func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				cfg := kit.Memory()(erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
				start := time.Now() // a token says how long after it is valid
				srv, addr := kit.Serve(t, cfg, auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
					valid, err := time.ParseDuration(c.Token)
					if err != nil {
						return nil, nil
					}
					return &auth.Identity{Name: "ann", Expires: start.Add(valid)}, nil
				}}))
				erpc.HandleCall(srv, "/sleep", func(_ context.Context, d *time.Duration) (*string, error) {
					time.Sleep(*d)
					return new("slept"), nil
				})
				client := overHTTP2(t, cfg, addr)
				post := func(token string, sleep time.Duration) (status int) { return postSleep(t, client, token, sleep) }
				if code := post("1h", 0); code != http.StatusOK {
					t.Errorf("a request with a token: %d", code)
				}
				other := make(chan int, 1)
				if busy {
					go func() { other <- post("100h", 2*time.Hour) }()
				} else {
					other <- http.StatusOK
				}
				time.Sleep(time.Hour + time.Second)
				if code := post("1h", 0); code != http.StatusUnauthorized {
					t.Errorf("a request with a token that has ended: %d", code)
				}
				if code := post("2h", 0); code != http.StatusOK {
					t.Errorf("a request with another token: %d", code)
				}
				if code := <-other; code != http.StatusOK {
					t.Errorf("a request that was at work meanwhile: %d", code)
				}
			})
		})
	}
}

// overHTTP2 returns a client of the server at addr whose requests share a connection.
func overHTTP2(t *testing.T, cfg erpc.PeerConfig, addr string) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return cfg.Transports[0].Dial(ctx, cfg.Network, addr, &socket.Options{})
	}}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// postSleep calls /sleep and returns the status of HTTP.
func postSleep(t *testing.T, client *http.Client, token string, d time.Duration) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://server/sleep", strings.NewReader(fmt.Sprint(int64(d))))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}
