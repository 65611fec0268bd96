package heartbeat_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// A channel has no deadlines, like a channel of SSH. Its pipe has no buffer either,
// so a heartbeat that nobody reads blocks.
type channel struct{ net.Conn }

var errNoDeadlines = errors.New("deadline not supported")

func (channel) SetDeadline(time.Time) error      { return errNoDeadlines }
func (channel) SetReadDeadline(time.Time) error  { return errNoDeadlines }
func (channel) SetWriteDeadline(time.Time) error { return errNoDeadlines }

// TestHalfOpenWithoutDeadlines: heartbeats detect that the other side is gone,
// whichever side sends them, and close the connection although it has no deadlines.
// If a heartbeat is stuck in a write, the write timeout closes it.
func TestHalfOpenWithoutDeadlines(t *testing.T) {
	for name, plugin := range map[string]erpc.Plugin{
		"ping by call": heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate}),
		"ping by push": heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Push: true}),
		"pong":         heartbeat.NewPonger(heartbeat.PongConfig{Rate: rate}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				p := kit.Peer(t, erpc.PeerConfig{})
				here, there := net.Pipe()
				defer there.Close()
				sess, st := p.ServeConn(channel{here})
				if !st.OK() {
					t.Fatal(st)
				}
				select {
				case <-sess.CloseNotify():
					t.Fatal("without heartbeats the session has ended")
				case <-time.After(time.Hour):
				}
				_ = sess.Close() // only to start the next case

				p = kit.Peer(t, erpc.PeerConfig{WriteTimeout: 5 * rate}, plugin)
				here, there = net.Pipe()
				defer there.Close()
				if sess, st = p.ServeConn(channel{here}); !st.OK() {
					t.Fatal(st)
				}
				begin := time.Now()
				<-sess.CloseNotify()
				if d := time.Since(begin); d > 10*rate {
					t.Errorf("it was found after %v, at %v a beat", d, rate)
				}
				time.Sleep(2 * time.Second) // what Close lets be written
				if _, err := there.Write([]byte{1}); err == nil {
					t.Error("the connection is open")
				}
			})
		})
	}
}
