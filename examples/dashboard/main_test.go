package main

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
)

func TestMain(m *testing.M) { kit.Main(m) }

// openShop returns a shop that has customers until the test ends.
func openShop(t *testing.T, customers int, calls float64) (s *shop, d *dashboard.Dashboard) {
	t.Helper()
	d = dashboard.New(dashboard.Config{Listen: "127.0.0.1:0", Actions: true, Authorize: loopbackOnly, User: nameOf})
	s, err := open("127.0.0.1:0", d, kit.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.crowd(ctx, customers, calls) }()
	t.Cleanup(func() {
		cancel()
		if err := kit.Await(t, "the end of the crowd", ended); err != nil {
			t.Error(err)
		}
		if err := s.peer.Close(); err != nil {
			t.Error(err)
		}
	})
	kit.Eventually(t, kit.Bound, "the dashboard", func() bool { return d.Addr() != nil })
	return s, d
}

// The demo has something to show on every page.
func TestShop(t *testing.T) {
	_, d := openShop(t, 8, 100)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	get := func(name string, v any) {
		resp, err := http.Get("http://" + d.Addr().String() + "/api/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
			t.Fatal(err)
		}
	}
	kit.Eventually(t, kit.Bound, "calls, pushes, errors and streams", func() bool {
		var o struct {
			Total  struct{ Calls, Pushes, Errors, Unknown int }
			Points []struct{ Streams int }
		}
		get("overview", &o)
		n := len(o.Points)
		return o.Total.Calls > 0 && o.Total.Pushes > 0 && o.Total.Errors > 0 && o.Total.Unknown > 0 && n > 0 && o.Points[n-1].Streams > 0
	})
	kit.Eventually(t, kit.Bound, "customers with names in groups", func() bool {
		var page struct{ Sessions []struct{ User string } }
		get("sessions?filter=customer-0", &page)
		var rooms struct{ Groups []struct{ Members int } }
		get("rooms", &rooms)
		return len(page.Sessions) == 8 && len(rooms.Groups) >= 2 && rooms.Groups[0].Members == 8
	})
}

func TestLoopbackOnly(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "192.0.2.1:1": false, "": false} {
		if err := loopbackOnly(&http.Request{RemoteAddr: addr}); (err == nil) != want {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
