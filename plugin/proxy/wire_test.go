package proxy_test

import (
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
)

// TestV7 puts our proxy between a client and a server of erpc v7. The proxy of v7
// can only carry JSON bodies; ours carries everything that the client checks,
// except the push that a server sends back, because the server's connection is with
// the proxy.
func TestV7(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	wiretest.Filters()
	server := wiretest.ServeV7(t, v7peer)
	front := start(t, proxy.NewPlugin(to(dial(t, server.Addr)), proxy.Config{TrustRealIP: true}))
	done := wiretest.CallV7(t, v7peer, "-addr", front.Addr, "-skip", "math/pushback")
	if len(done) < 10 {
		t.Errorf("v7's client ran %d checks", len(done))
	}

	t.Run("behind v7's proxy", func(t *testing.T) {
		ours := wiretest.Serve(t, erpc.PeerConfig{})
		theirs := wiretest.ServeV7(t, v7peer, "-proxy", ours.Addr)
		sess := dial(t, theirs.Addr)
		if err := (wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}).Do(sess); err != nil {
			t.Error(err)
		}
		if err := (wiretest.Call{Method: "/math/real_ip", Arg: []int{}, Want: "127.0.0.1"}).Do(sess); err != nil {
			t.Error(err)
		}
	})
}
