package streams

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// For the hooks of the opener, the end that the handler sends is the reply of a
// stream: they run once, with its status and the store that PreWriteCall has seen.
func TestHooksSeeTheReplyOfAStream(t *testing.T) {
	type end struct {
		method string
		code   int32
		mark   any
	}
	ends := make(chan end, 10)
	var refuse *erpc.Status
	sess, _ := link(t, register, erpc.PeerConfig{}, erpc.PeerConfig{})
	sess.Peer().(erpc.Peer).PluginContainer().AppendRight(&erpc.PluginImpl{
		PluginName: "ends",
		OnPreWriteCall: func(ctx erpc.WriteCtx) *erpc.Status {
			ctx.Swap().Store("mark", ctx.Output().ServiceMethod())
			return nil
		},
		OnPostReadReplyHeader: func(ctx erpc.ReadCtx) *erpc.Status {
			mark, _ := ctx.Swap().Load("mark")
			ends <- end{ctx.ServiceMethod(), ctx.Status().Code(), mark}
			return refuse
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	for _, c := range []struct {
		method       string
		refuse       *erpc.Status
		seen, result int32
	}{
		{"/sum", nil, 0, 0},
		{"/fail", nil, 1001, 1001},
		{"/none", nil, erpc.CodeNotFound, erpc.CodeNotFound},
		{"/sum", erpc.NewStatus(1002, "refused"), 0, 1002},
	} {
		refuse = c.refuse
		s := open[note, note](t, ctx, sess, c.method)
		if err := s.CloseSend(); err != nil && !errors.Is(err, io.EOF) && code(err) != c.result {
			t.Fatal(err)
		}
		err := error(nil)
		for err == nil {
			_, err = s.Recv()
		}
		wantCode(t, c.method, err, c.result)
		if got := kit.Await(t, "the hook", ends); got != (end{c.method, c.seen, c.method}) {
			t.Errorf("%s: the hook saw %+v", c.method, got)
		}
	}
	s := open[note, note](t, ctx, sess, "/echo") // no reply, no hook
	_ = s.Close()                                // it never fails
	if len(ends) > 0 {
		t.Errorf("%d hooks besides those of the replies", len(ends))
	}
}

// lines is a log to which two peers write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// line returns the first line that has all parts.
func (l *lines) line(parts ...string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			return line
		}
	}
	return ""
}

// The access log has a record of each stream, with its messages, at both ends.
func TestRunLogHasARecordOfEachStream(t *testing.T) {
	log := new(lines)
	cfg := erpc.PeerConfig{CountTime: true, Logger: slog.New(slog.NewTextHandler(log, nil))}
	sess, _ := link(t, register, cfg, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	s := open[note, note](t, ctx, sess, "/sum")
	for i := range 3 {
		if err := s.Send(&note{i}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
	if _, err := open[note, note](t, ctx, sess, "/fail").Recv(); code(err) != 1001 {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, method string
		want         []string
	}{
		{"STREAM<-", "/sum", []string{"sent=1", "received=3", "cost="}},
		{"STREAM->", "/sum", []string{"sent=3", "received=1"}},
		{"STREAM<-", "/fail", []string{"sent=0", "1001"}},
		{"STREAM->", "/fail", []string{"received=0", "1001"}},
	} {
		kit.Eventually(t, kit.Bound, c.what+" of "+c.method, func() bool { return log.line(c.what, "method="+c.method) != "" })
		line := log.line(c.what, "method="+c.method)
		for _, want := range c.want {
			if !strings.Contains(line, want) {
				t.Errorf("%q is missing in %s", want, line)
			}
		}
	}
}
