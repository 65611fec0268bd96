package dashboard_test

import (
	"net/http"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
	"github.com/goerpc/erpc/plugin/stats"
)

func TestServesItself(t *testing.T) {
	s := newSite(t, dashboard.Config{Listen: "127.0.0.1:0"})
	kit.Eventually(t, kit.Bound, "the address", func() bool { return s.d.Addr() != nil })
	resp, err := http.Get("http://" + s.d.Addr().String() + "/api/overview")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only its status matters
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if err := s.peer.Close(); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, kit.Bound, "the end of the server", func() bool {
		resp, err := http.Get("http://" + s.d.Addr().String() + "/")
		if err == nil {
			_ = resp.Body.Close() // it is asked again
		}
		return err != nil
	})
}

// An address that is taken, perhaps by the process that this one replaces, does not
// prevent the start.
func TestAddressThatIsTaken(t *testing.T) {
	first := newSite(t, dashboard.Config{Listen: "127.0.0.1:0"})
	kit.Eventually(t, kit.Bound, "the address", func() bool { return first.d.Addr() != nil })
	second := newSite(t, dashboard.Config{Listen: first.d.Addr().String()})
	kit.Answers(t, second.sess)
	if err := first.peer.Close(); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, kit.Bound, "the address of the first", func() bool { return second.d.Addr() != nil })
}

func TestOnePeer(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	defer func() {
		if recover() == nil {
			t.Error("a second peer accepts the plugin")
		}
	}()
	erpc.NewPeer(erpc.PeerConfig{}, s.d)
}

// The counts of the program's own stats plugin are used, not counted a second time.
func TestUsesStatsOfTheProgram(t *testing.T) {
	counts := stats.New(stats.Config{})
	s := newSite(t, dashboard.Config{}, counts)
	n := 0
	for _, p := range s.peer.PluginContainer().GetAll() {
		if _, ok := p.(*stats.Stats); ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d plugins count", n)
	}
}
