package tps_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/tps"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

type log struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) lines() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, "[TPS]") {
			list = append(list, line)
		}
	}
	return list
}

// TestRates logs, after a second, the rates of registered methods and of nothing
// else.
func TestRates(t *testing.T) {
	out := new(log)
	srv := wiretest.Serve(t, erpc.PeerConfig{Logger: slog.New(slog.NewTextHandler(out, nil))}, tps.NewTPS(0))
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for range 10 {
		if st := sess.Call("/math/add", []int{1}, nil).Status(); !st.OK() {
			t.Fatal(st)
		}
		if st := sess.Push("/note/say", "x"); !st.OK() {
			t.Fatal(st)
		}
		_ = sess.Call("/nobody/has/it", nil, nil).Status()
	}
	for deadline := time.Now().Add(wiretest.Limit); len(out.lines()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was logged")
		}
		_ = sess.Call("/enc/empty", struct{}{}, nil).Status()
	}
	text := strings.Join(out.lines(), "")
	for _, want := range []string{"/math/add: ", "/note/say: ", "/math/fail: 0.000000 in last "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "nobody") || strings.Contains(text, "/math/add: 0.0000") {
		t.Error(text)
	}
}

func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{}, tps.NewTPS(5))
	defer srv.Close()
	// Output:
}
