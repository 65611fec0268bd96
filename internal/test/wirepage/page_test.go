// Package wirepage proves that docs/wire.md is sufficient to write an
// implementation: a client in Python that was written only from the page talks to
// a peer.
package wirepage

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
)

func TestMain(m *testing.M) { kit.Main(m) }

// A client written only from the page calls, is called, receives a push, cancels,
// opens a stream and shuts down gracefully, over each protocol.
func TestPythonClientFromThePage(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	for name, pf := range map[string]erpc.ProtoFunc{
		"raw": rawproto.NewRawProtoFunc(), "json": jsonproto.NewJSONProtoFunc(), "pb": pbproto.NewPbProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1", ProtoFunc: pf, DefaultBodyCodec: "json"})
			ended := routes(srv)
			_, port, err := net.SplitHostPort(kit.Start(t, srv))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
			defer cancel()
			out, err := exec.CommandContext(ctx, python, "testdata/client.py", name, port).CombinedOutput()
			if err != nil || string(out) != "ok\n" {
				t.Fatalf("%v\n%s", err, out)
			}
			if err := kit.Await(t, "the end of Shutdown", ended); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

// routes registers the handlers that the client calls. The channel gets the result
// of the shutdown that the client requests.
func routes(srv erpc.Peer) (ended <-chan error) {
	erpc.HandleCall(srv, "/math/add", func(ctx context.Context, arg *[]int) (*int, error) {
		sum := 0
		for _, n := range *arg {
			sum += n
		}
		if c := erpc.CallCtxFrom(ctx); c.PeekMeta("author") != nil {
			c.SetMeta("author-was", string(c.PeekMeta("author")))
		}
		return &sum, nil
	})
	erpc.HandleCall(srv, "/refuse", func(context.Context, *int) (*int, error) {
		return nil, erpc.NewStatus(1001, "no, thank you", "100% sure").Err()
	})
	erpc.HandleCall(srv, "/turn", func(ctx context.Context, name *string) (*string, error) {
		sess := erpc.CallCtxFrom(ctx).Session()
		if st := sess.Push("/news", "hello "+*name); !st.OK() {
			return nil, st.Err()
		}
		return erpc.Call[string](ctx, sess, "/name", name)
	})
	released := make(chan struct{}, 1)
	erpc.HandleCall(srv, "/wait", func(ctx context.Context, n *int) (*int, error) {
		<-released
		return n, nil
	})
	erpc.HandlePush(srv, "/release", func(context.Context, *int) error {
		released <- struct{}{}
		return nil
	})
	erpc.HandleCall(srv, "/hang", func(ctx context.Context, n *int) (*int, error) {
		<-ctx.Done()
		return n, nil
	})
	erpc.HandleStream(srv, "/echo", func(ctx context.Context, s *erpc.Stream[string, string]) error {
		for {
			v, err := s.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := s.Send(v); err != nil {
				return err
			}
		}
	})
	shut := make(chan error, 1)
	erpc.HandleCall(srv, "/shutdown", func(_ context.Context, n *int) (*int, error) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
			defer cancel()
			shut <- srv.Shutdown(ctx)
		}()
		return n, nil
	})
	return shut
}

// The example of the page is the output of the raw protocol.
func TestExampleFrameIsReal(t *testing.T) {
	page, err := os.ReadFile("../../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	var frame []byte
	for _, line := range regexp.MustCompile(`(?m)^((?:[0-9a-f]{2} )+) +\S.*$`).FindAllStringSubmatch(string(page), -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		frame = append(frame, b...)
	}
	m := erpc.NewMessage(erpc.WithServiceMethod("/math/add"), erpc.WithAddMeta("author", "anna"), erpc.WithBodyCodec(codec.ID_JSON), erpc.WithBody([]int{1, 2}))
	m.SetSeq(1)
	m.SetMtype(erpc.TypeCall)
	want, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(frame, want) {
		t.Errorf("the page shows\n%x, the protocol writes\n%x", frame, want)
	}
}
