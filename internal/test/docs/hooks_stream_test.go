package docs

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// echoStream returns a stream to a handler that sends back what it receives. The
// client has plugin p.
func echoStream(t *testing.T, p erpc.Plugin) *erpc.Stream[string, string] {
	t.Helper()
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleStream(srv, "/echo", func(_ context.Context, s *erpc.Stream[string, string]) error {
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{}, p)
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	t.Cleanup(cancel)
	s, err := erpc.OpenStream[string, string](ctx, sess, "/echo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // it never fails
	return s
}

// streamHookFails returns the effect of a failing hook of the messages of a
// stream, in the words of docs/plugins.md.
func streamHookFails(t *testing.T, hook string) string {
	failing := func(name string) func(erpc.StreamCtx) *erpc.Status {
		return func(ctx erpc.StreamCtx) *erpc.Status {
			if name == hook && ctx.Index() == 0 {
				return erpc.NewStatus(1001, "as asked")
			}
			return nil
		}
	}
	s := echoStream(t, &erpc.PluginImpl{
		PluginName: "failing", OnPreSendMessage: failing("PreSendMessage"), OnPreRecvMessage: failing("PreRecvMessage"),
	})
	text := "a"
	err := s.Send(&text)
	var se *erpc.StatusError
	if errors.As(err, &se) && se.Status.Code() == 1001 {
		if err := s.CloseSend(); err != nil {
			return "the stream ends"
		}
		if _, err := s.Recv(); errors.Is(err, io.EOF) {
			return "`Send` returns the status; the message is not sent"
		}
		return "the message is sent"
	}
	_, err = s.Recv()
	if !errors.As(err, &se) || se.Status.Code() != 1001 {
		return "Recv returns another status"
	}
	if err := s.Send(&text); !errors.As(err, &se) || se.Status.Code() != 1001 {
		return "the stream goes on"
	}
	return "the stream ends with the status"
}

// streamHookEffects lets the hooks of the messages of a stream change what they
// may.
func streamHookEffects(t *testing.T) (send, recv bool) {
	meta := make(chan string, 1)
	s := echoStream(t, &erpc.PluginImpl{
		PluginName: "changing",
		OnPreSendMessage: func(ctx erpc.StreamCtx) *erpc.Status {
			ctx.Message().SetBody("sent otherwise")
			ctx.Message().Meta().Set("key", "value")
			return nil
		},
		OnPreRecvMessage: func(ctx erpc.StreamCtx) *erpc.Status {
			meta <- string(ctx.Message().Raw())
			ctx.Message().SetRaw([]byte(`"received otherwise"`))
			return nil
		},
	})
	text := "a"
	if err := s.Send(&text); err != nil {
		t.Fatal(err)
	}
	m, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return kit.Await(t, "the message", meta) == `"sent otherwise"`, *m == "received otherwise"
}
