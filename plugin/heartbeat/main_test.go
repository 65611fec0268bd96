package heartbeat_test

import (
	"bufio"
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/erpc-go/erpc"
	"github.com/erpc-go/erpc/internal/wiretest"
	"github.com/erpc-go/erpc/plugin/heartbeat"
	"github.com/erpc-go/erpc/proto/rawproto"
)

// TestMain looks for goroutines that a test left behind; those that kcp-go starts as
// it is imported were there before.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// rate is the shortest there is.
const rate = heartbeat.MinRate

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

// Beats hears of each heartbeat that arrives at a peer, or is sent by it.
type beats struct{ arrived, sent chan string }

func newBeats() *beats { return &beats{make(chan string, 1000), make(chan string, 1000)} }

func (*beats) Name() string { return "beats" }

func (b *beats) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status { return b.note(ctx, "CALL") }
func (b *beats) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status { return b.note(ctx, "PUSH") }

func (b *beats) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if m := ctx.Output(); m.ServiceMethod() == heartbeat.ServiceMethod {
		b.sent <- m.Meta().String()
	}
	return nil
}

func (b *beats) note(ctx erpc.ReadCtx, kind string) *erpc.Status {
	if ctx.ServiceMethod() == heartbeat.ServiceMethod {
		b.arrived <- kind + " " + ctx.CopyMeta().String()
	}
	return nil
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

func (l *logbook) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(text))
}

// unpacked reads a frame of the raw protocol.
func unpacked(t *testing.T, frame []byte) erpc.Message {
	t.Helper()
	m := erpc.NewMessage()
	if err := rawproto.New().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatal(err)
	}
	return m
}

func packed(t *testing.T, mtype byte, seq int32, method string, body []byte, meta ...erpc.MessageSetting) []byte {
	t.Helper()
	m := erpc.NewMessage(append(meta, erpc.WithServiceMethod(method), erpc.WithBody(body), erpc.WithBodyCodec('j'))...)
	m.SetMtype(mtype)
	m.SetSeq(seq)
	b, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
