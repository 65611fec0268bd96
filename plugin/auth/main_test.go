package auth_test

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
	"github.com/goerpc/erpc/plugin/auth"
)

// TestMain looks for goroutines that a test left behind; those that kcp-go starts as
// it is imported were there before.
func TestMain(m *testing.M) { wait.Main(m) }

const token = "client-auth-info-12345"

// likeV7 behaves like the server of the captures.
func likeV7(cfg auth.CheckerConfig) *auth.CheckerPlugin {
	cfg.Settings = []erpc.MessageSetting{erpc.WithBodyCodec('s')}
	cfg.Checker = func(_ auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
		var shown string
		if st := receive(&shown); !st.OK() {
			return nil, st
		}
		if !auth.Equal(shown, token) {
			return nil, erpc.NewStatus(403, "auth fail", "auth fail detail")
		}
		return "pass", nil
	}
	return auth.NewChecker(cfg)
}

func bearer(shown string) *auth.BearerPlugin {
	return auth.NewBearerPlugin(auth.Token(shown), erpc.WithBodyCodec('s'))
}

// works fails the test unless the session can be used.
func works(t *testing.T, sess erpc.Session) {
	t.Helper()
	if err := (wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}).Do(sess); err != nil {
		t.Error(err)
	}
}

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wiretest.Limit):
		t.Fatalf("waited %v for %s", wiretest.Limit, what)
		panic("not reached")
	}
}

// eventually waits until a condition becomes true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wiretest.Limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", wiretest.Limit, what)
		}
	}
}

// A logbook is a log that a test reads.
type logbook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// has reports whether one line contains all of the words.
func (l *logbook) has(words ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		return true
	}
	return false
}
