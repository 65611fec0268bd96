package secure_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/secure"
)

// A wiretap records what goes over a connection.
type wiretap struct {
	net.Conn
	mu   sync.Mutex
	seen bytes.Buffer
}

func (w *wiretap) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.seen.Write(p)
	w.mu.Unlock()
	return w.Conn.Write(p)
}

func (w *wiretap) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	w.seen.Write(p[:n])
	w.mu.Unlock()
	return n, err
}

func (w *wiretap) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.seen.Bytes(), []byte(text))
}

// Each message of a stream is sealed where its method asks for it, in both
// directions; a client that does not seal is refused.
func TestStreamsAreSealed(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	const secret = "the text that nobody may read"
	newSecure := func() *secure.Secure {
		return secure.New(secure.Config{Keys: []secure.Key{{ID: "1", Key: key}}, Required: []string{"/sealed"}})
	}
	serve := func(p erpc.Peer) {
		erpc.HandleStream(p, "/sealed", func(ctx context.Context, s *erpc.Stream[string, string]) error {
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
	}
	open := func(t *testing.T, plugins ...erpc.Plugin) (*erpc.Stream[string, string], *wiretap) {
		tap := new(wiretap)
		plugins = append(plugins, &erpc.PluginImpl{PluginName: "tap", OnPostDial: func(sess erpc.PreSession, _ bool) *erpc.Status {
			sess.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { tap.Conn = conn; return tap, nil })
			return nil
		}})
		srv := erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0"}, newSecure())
		serve(srv)
		cli := erpc.NewPeer(erpc.PeerConfig{}, plugins...)
		t.Cleanup(func() { _ = cli.Close(); _ = srv.Close() })
		lis, err := srv.Listen()
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = srv.Serve(lis) }() // ends with the peer
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			t.Fatal(st)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		t.Cleanup(cancel)
		s, err := erpc.OpenStream[string, string](ctx, sess, "/sealed")
		if err != nil {
			t.Fatal(err)
		}
		return s, tap
	}
	s, tap := open(t, newSecure())
	for range 3 {
		text := secret
		if err := s.Send(&text); err != nil {
			t.Fatal(err)
		}
		m, err := s.Recv()
		if err != nil || *m != secret {
			t.Fatalf("%v, %v", m, err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	if tap.has(secret) {
		t.Error("a message of the stream went in clear")
	}
	s, _ = open(t)
	text := "in clear"
	_ = s.Send(&text) // Recv reports it
	if m, err := s.Recv(); err == nil {
		t.Errorf("a client that does not seal got %q", *m)
	}
}
