package stats

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// The slowest calls of each window are kept, and old windows are forgotten.
func TestSlowestOfEachWindow(t *testing.T) {
	var s Stats
	now := time.Now().UnixNano() / int64(slowWindow)
	for window := now - slowWindows; window <= now; window++ {
		for i := range 3 * maxSlow {
			took := time.Duration((i*7)%(3*maxSlow)+1) * time.Millisecond // in no order
			s.slowest.add(window, SlowCall{Method: fmt.Sprint(window - now), Took: took})
		}
	}
	got := s.Slowest()
	if want := maxSlow * slowWindows; len(got) < want-maxSlow || len(got) > want { // a minute may have passed
		t.Fatalf("%d calls are kept, want %d", len(got), want)
	}
	for i, c := range got {
		if c.Took <= 2*maxSlow*time.Millisecond {
			t.Errorf("%v is kept, but is not one of the slowest", c)
		}
		if i > 0 && c.Took > got[i-1].Took {
			t.Errorf("%v comes behind %v", c, got[i-1])
		}
		if c.Method == fmt.Sprint(-slowWindows) {
			t.Errorf("%v is older than %d windows", c, slowWindows)
		}
	}
	if floor := time.Duration(s.slowest.floor.Load()); s.slowest.number == now && floor != 2*maxSlow*time.Millisecond+time.Millisecond {
		t.Errorf("the floor is %s", floor)
	}
}

func TestSlowestOfPeers(t *testing.T) {
	at, from := New(Config{}), New(Config{})
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, at)
	erpc.HandleCall(srv, "/slow", func(_ context.Context, code *int32) (*int, error) {
		time.Sleep(20 * time.Millisecond) // what is measured
		return nil, erpc.NewStatus(*code, "slow").Err()
	})
	erpc.HandleStream(srv, "/stream", func(_ context.Context, s *erpc.Stream[int, int]) error {
		for range s.All() { // until the other side ends it
		}
		return nil
	})
	_, sess := kit.Dial(t, kit.Start(t, srv), erpc.PeerConfig{}, from)
	_, err := erpc.Call[int](t.Context(), sess, "/slow", 1234)
	if erpc.StatusFromError(err).Code() != 1234 {
		t.Fatal(err)
	}
	const html = "/<script>alert(1)</script>\x1b[31m"
	name := html + strings.Repeat("x", 255-len(html)) // what the raw protocol carries at most
	if _, err = erpc.Call[int](t.Context(), sess, name, 1); erpc.StatusFromError(err).Code() != erpc.CodeNotFound {
		t.Fatal(err)
	}
	stream, err := erpc.OpenStream[int, int](t.Context(), sess, "/stream")
	if err != nil {
		t.Fatal(err)
	}
	if err = stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range stream.All() { // none comes
	}
	kit.Eventually(t, kit.Bound, "the end of the stream", func() bool { return at.Methods().HandledCalls["/stream"].Ended == 1 })
	if m := at.Methods().HandledCalls; !m["/stream"].Stream || m["/slow"].Stream {
		t.Error("streams are not marked as streams")
	}
	for what, s := range map[Kind]*Stats{HandledCall: at, Called: from} {
		kit.Eventually(t, kit.Bound, "the call among the slow ones", func() bool { // its hooks run after its reply
			return slices.ContainsFunc(s.Slowest(), func(c SlowCall) bool { return c.Method == "/slow" })
		})
		var slow *SlowCall
		for _, c := range s.Slowest() {
			if c.Method == "/slow" {
				slow = &c
			}
			if c.Method == "/stream" {
				t.Errorf("a stream is among the slow calls: %+v", c)
			}
		}
		if slow == nil || slow.Kind != what || slow.Took < 20*time.Millisecond || slow.Code != 1234 || slow.Session == "" || slow.Remote == "" {
			t.Errorf("%s: %+v", what, slow)
		}
	}
}

// A handler that invents codes does not fill the memory.
func TestCodesAreBounded(t *testing.T) {
	var m method
	for code := range int32(10_000) {
		m.failed(1000 + code)
	}
	if len(m.codes) != maxCodes+1 || m.codes[1000] != 1 || m.codes[OtherCode] != 10_000-maxCodes || m.errors.Load() != 10_000 {
		t.Errorf("%d errors, %v", m.errors.Load(), m.codes)
	}
}
