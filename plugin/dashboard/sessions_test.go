package dashboard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/dashboard"
)

type sessionRow struct {
	ID, Key, User, Remote, Protocol string
	Dialed                          bool
	Began                           int64
	BytesIn, Streams                uint64
}

type sessionPage struct {
	Total, Page, Pages int
	Sessions           []sessionRow
}

func TestSessions(t *testing.T) {
	user := func(sess erpc.Session) string { return "user of " + sess.ID() }
	s := newSite(t, dashboard.Config{User: user})
	kit.Answers(t, s.sess)
	id := "<b>\xff\n" + strings.Repeat("é", 500)
	s.only().SetID(id)
	var page sessionPage
	s.get("sessions", &page)
	if page.Total != 1 || page.Pages != 1 || len(page.Sessions) != 1 {
		t.Fatalf("%+v", page)
	}
	one := page.Sessions[0]
	if len(one.ID) > 300 || !strings.HasPrefix(one.ID, "<b>\ufffd\né") || !strings.HasPrefix(one.User, "user of ") || one.Protocol != "raw" || one.Dialed ||
		time.Since(time.UnixMilli(one.Began)) > kit.Bound || one.BytesIn == 0 || one.Remote != s.sess.LocalAddr().String() {
		t.Errorf("%+v", one)
	}
	var view struct {
		sessionRow
		Local     string
		Connected bool
		Groups    []string
	}
	s.peer.Group(hostile).Join(s.only())
	s.get("session?key="+one.Key, &view)
	if view.Key != one.Key || !view.Connected || view.Local != s.addr || len(view.Groups) != 1 || view.Groups[0] != hostile {
		t.Errorf("%+v", view)
	}
	for target, want := range map[string]int{
		"session?key=":    400,
		"session?key=***": 400,
		"session?key=" + strings.Repeat("A", 1<<12):     404,
		"session?key=bm90aGluZw":                        404,
		"sessions?sort=nothing":                         400,
		"sessions?page=-1":                              400,
		"sessions?page=x":                               400,
		"sessions?page=100":                             400,
		"sessions?page=99":                              200,
		"sessions?filter=%00%ff<&sort=age&desc=1":       200,
		"sessions?sort=dropped":                         200,
		"describe?method=/nothing&kind=call":            404,
		"describe?method=/add&kind=push":                404,
		"describe?method=" + strings.Repeat("x", 1<<16): 404,
	} {
		if w := s.ask("GET", "/api/"+target, ""); w.Code != want {
			t.Errorf("%.60s: %d, want %d: %s", target, w.Code, want, w.Body)
		}
	}
	s.get("sessions?filter=USER+OF", &page)
	if page.Total != 1 {
		t.Errorf("the filter finds %d", page.Total)
	}
	s.get("sessions?filter=nobody", &page)
	if page.Total != 0 || len(page.Sessions) != 0 {
		t.Errorf("the filter of nobody finds %+v", page)
	}
}

// Sessions show the identity of plugin/auth.
func TestIdentities(t *testing.T) {
	login := auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		return &auth.Identity{Name: c.Token}, nil
	}})
	d := dashboard.New(dashboard.Config{})
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, login, d)
	kit.Dial(t, kit.Start(t, srv), erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token("ann")))
	s := &site{t: t, d: d, peer: srv}
	var page sessionPage
	kit.Eventually(t, kit.Bound, "the session", func() bool {
		s.get("sessions", &page)
		return page.Total == 1
	})
	if page.Sessions[0].User != "ann" {
		t.Errorf("the user is %q", page.Sessions[0].User)
	}
}

func TestStreams(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	stream, err := erpc.OpenStream[string, string](t.Context(), s.sess, "/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	word := "x"
	if err := stream.Send(&word); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // it is open at the other side
		t.Fatal(err)
	}
	var v struct {
		Open     int
		Methods  []methodRow
		Sessions []sessionRow
	}
	kit.Eventually(t, kit.Bound, "the stream", func() bool {
		s.get("streams", &v)
		return v.Open == 1 && len(v.Sessions) == 1
	})
	if len(v.Methods) != 1 || v.Methods[0].Name != "/echo" || v.Methods[0].Kind != "stream" || v.Methods[0].Open != 1 || v.Sessions[0].Streams != 1 {
		t.Errorf("%+v", v)
	}
}

type fakeCluster struct{}

func (fakeCluster) Node() string                { return "node-<1>" }
func (fakeCluster) Nodes() []string             { return []string{"node-2"} }
func (fakeCluster) Rooms(erpc.Session) []string { return []string{hostile, "lobby"} }
func (fakeCluster) User(erpc.Session) string    { return "ann" }

func TestRooms(t *testing.T) {
	s := newSite(t, dashboard.Config{Cluster: fakeCluster{}})
	for i := range 150 {
		s.peer.Group(fmt.Sprintf("group %03d", i)).Join(s.only())
	}
	var v struct {
		Groups, Rooms []struct {
			Name    string
			Members int
		}
		Cluster struct {
			Node  string
			Nodes []string
		}
	}
	s.get("rooms", &v)
	if len(v.Groups) != 100 || v.Groups[0].Name != "group 000" || v.Groups[0].Members != 1 {
		t.Errorf("%d groups: %+v", len(v.Groups), v.Groups[:1])
	}
	if len(v.Rooms) != 2 || v.Rooms[0].Name != hostile || v.Rooms[1].Name != "lobby" || v.Cluster.Node != "node-<1>" || len(v.Cluster.Nodes) != 1 {
		t.Errorf("%+v %+v", v.Rooms, v.Cluster)
	}
	var page sessionPage
	s.get("sessions", &page)
	if page.Sessions[0].User != "ann" {
		t.Errorf("the user is %q", page.Sessions[0].User)
	}
}

// The rooms and nodes of a cluster are shown.
func TestCluster(t *testing.T) {
	medium := cluster.NewMemory()
	c, other := cluster.New(medium.Engine(), cluster.Options{}), cluster.New(medium.Engine(), cluster.Options{})
	kit.Peer(t, erpc.PeerConfig{}, other)
	s := newSite(t, dashboard.Config{Cluster: c}, c)
	for _, node := range []*cluster.Cluster{c, other} {
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer node.Close()
	}
	if err := c.Join(t.Context(), s.only(), "lobby"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetUser(t.Context(), s.only(), "ann"); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Rooms   []struct{ Name string }
		Cluster struct {
			Node  string
			Nodes []string
		}
	}
	kit.Eventually(t, kit.Bound, "the other node", func() bool {
		s.get("rooms", &v)
		return len(v.Cluster.Nodes) == 1
	})
	if v.Cluster.Node != c.Node() || v.Cluster.Nodes[0] != other.Node() || len(v.Rooms) != 1 || v.Rooms[0].Name != "lobby" {
		t.Errorf("%+v", v)
	}
	var page sessionPage
	s.get("sessions?filter=ann", &page)
	if page.Total != 1 || page.Sessions[0].User != "ann" {
		t.Errorf("%+v", page)
	}
}
