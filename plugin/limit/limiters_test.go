package limit

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

type text string

func (text) Network() string  { return "test" }
func (a text) String() string { return string(a) }

func TestNetworkOfAnAddress(t *testing.T) {
	for addr, want := range map[net.Addr]string{
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5}: "10.0.0.1",
		text("10.0.0.1:99"):              "10.0.0.1",
		text("[::ffff:10.0.0.1]:99"):     "10.0.0.1",
		text("[2001:db8:1:2:3:4:5:6]:7"): "2001:db8:1:2::/64",
		text("[2001:db8:1:2:9::9]:8"):    "2001:db8:1:2::/64",
		text("[fe80::1%eth0]:8"):         "fe80::/64",
		text("[::1]:8"):                  "::/64",
		text("/run/erpc.sock"):           "/run/erpc.sock",
		text("alice:1"):                  "alice",
		text(""):                         "",
	} {
		if got := network(addr); got != want {
			t.Errorf("%s is %q, want %q", addr, got, want)
		}
	}
}

// At most max keys are kept, however many come; keys that have used nothing lately
// make room for others.
func TestKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 10
		l := newLimiters(most, func() *limiter { return newLimiter(1, 1) })
		for i := range 3 * most {
			r := l.of(fmt.Sprint("first", i))
			if (r == l.shared) != (i >= most) {
				t.Errorf("key %d has the shared limiter: %t", i, r == l.shared)
			}
			r.take()
		}
		if l.of("first0") == l.shared || len(l.byKey) != most {
			t.Errorf("%d keys are kept", len(l.byKey))
		}
		time.Sleep(2 * time.Second) // now all could make a call
		for i := range most {
			if r := l.of(fmt.Sprint("second", i)); r == l.shared {
				t.Fatalf("key %d shares a limiter although the others are unused", i)
			}
		}
		if len(l.byKey) != most {
			t.Errorf("%d keys are kept", len(l.byKey))
		}
	})
}
