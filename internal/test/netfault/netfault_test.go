package netfault

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 30 * time.Second

// found is how long a side may take to notice that the other is gone: three beats,
// four for pings of the other side, and some time for a busy machine.
const found = 7*beat + 3*time.Second

var networks = []string{"tcp", "quic", "kcp"}

// conversation starts both sides, and returns when calls succeed.
func conversation(t *testing.T, l *lab, network string, pause time.Duration) (server, client *side) {
	t.Helper()
	server = l.start(t, l.server, "server", network, pause)
	server.says(t, patience, "ready")
	client = l.start(t, l.client, "client", network, pause)
	server.says(t, patience, "session")
	client.says(t, patience, "ok")
	return server, client
}

// TestHalfOpen unplugs the cable for a while. Neither side gets a FIN or RST; both
// find out by heartbeats, the call in flight ends, and the client is back when the
// cable is.
func TestHalfOpen(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			l := newLab(t)
			// The client is never idle for a beat. Only its first heartbeat, sent
			// because the session is new, tells the server when to miss it.
			server, client := conversation(t, l, network, beat/4)
			for range 2 { // the second time it is a redialed session
				time.Sleep(5 * beat) // heartbeats are exchanged, and no session ends
				l.pull(t)
				pulled := time.Now()
				client.quiet()
				server.quiet()
				how, client1 := client.says(t, found, "failed")
				_, server1 := server.says(t, found, "gone")
				t.Logf("the client saw it %v after the plug was pulled (%s), the server %v after", ms(client1.Sub(pulled)), how, ms(server1.Sub(pulled)))
				l.plug(t)
				plugged := time.Now()
				_, back := client.says(t, patience, "redialed")
				client.says(t, patience, "ok")
				server.says(t, patience, "session")
				t.Logf("redialed %v after the plug was back", ms(back.Sub(plugged)))
			}
		})
	}
}

// TestShortGap unplugs the cable for less time than heartbeats wait: the same
// connection goes on, and no call fails.
func TestShortGap(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			l := newLab(t)
			_, client := conversation(t, l, network, 10*time.Millisecond)
			client.quiet() // from now on every line counts
			l.pull(t)
			time.Sleep(beat) // the gap itself, not a wait
			l.plug(t)
			for range 50 {
				line, _ := client.says(t, patience, "")
				if !strings.HasPrefix(line, "ok") {
					t.Fatalf("after a gap of %v the client said %q", beat, line)
				}
			}
		})
	}
}

// TestSlowCable gives each side 2 Mbit/s, of which 4 KiB may come in a burst: a
// call of 8 KiB and its reply, one after another, take at least 32 ms. No call
// fails, and heartbeats do not take the slow connection for a dead one.
func TestSlowCable(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			l := newLab(t)
			l.shape(t, "tbf", "rate", "2mbit", "burst", "4kb", "latency", "400ms")
			_, client := conversation(t, l, network, 10*time.Millisecond)
			var all time.Duration
			const calls = 40
			for range calls {
				all += okAfter(t, client)
			}
			t.Logf("%v a call", (all / calls).Round(time.Millisecond))
			if all/calls < 30*time.Millisecond {
				t.Errorf("%v a call: the cable was not slow, so this has tested nothing", all/calls)
			}
		})
	}
}

// TestLossDelayReordering: no call fails on a bad cable, and no call gets the
// reply of another.
func TestLossDelayReordering(t *testing.T) {
	for _, network := range networks {
		for name, netem := range map[string]string{
			"loss":       "loss 3%",
			"delay":      "delay 40ms 10ms",
			"reordering": "delay 20ms reorder 25% 50%",
			"duplicates": "duplicate 5%",
			"corruption": "corrupt 1%",
		} {
			t.Run(network+"/"+name, func(t *testing.T) {
				l := newLab(t)
				l.shape(t, append([]string{"netem"}, strings.Fields(netem)...)...)
				_, client := conversation(t, l, network, 10*time.Millisecond)
				for range 40 {
					okAfter(t, client)
				}
			})
		}
	}
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// okAfter returns how long the next call of the client took, which must
// succeed.
func okAfter(t *testing.T, client *side) time.Duration {
	t.Helper()
	line, _ := client.says(t, patience, "")
	took, ok := strings.CutPrefix(line, "ok ")
	if !ok {
		t.Fatalf("the client said %q", line)
	}
	d, err := time.ParseDuration(took)
	if err != nil {
		t.Fatalf("the client said %s: %v", strconv.Quote(line), err)
	}
	return d
}
