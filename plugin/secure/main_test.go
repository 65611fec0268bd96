package secure_test

import (
	"bufio"
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/proto/rawproto"
)

// TestMain looks for goroutines that a test left behind; those that kcp-go starts as
// it is imported were there before.
func TestMain(m *testing.M) { wait.Main(m) }

type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func unpacked(t *testing.T, frame []byte) erpc.Message {
	t.Helper()
	m := erpc.NewMessage()
	if err := rawproto.New().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatal(err)
	}
	return m
}

// A wire is a plugin that records what goes over the connection of a client.
type wire struct {
	mu          sync.Mutex // guards the following
	wrote, read []byte
}

func (*wire) Name() string { return "wire" }

func (w *wire) PostDial(sess erpc.PreSession, _ bool) *erpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { return &tapped{conn, w}, nil })
	return nil
}

// take returns what was written and read since the last call of take.
func (w *wire) take() (wrote, read string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrote, read = string(w.wrote), string(w.read)
	w.wrote, w.read = nil, nil
	return wrote, read
}

type tapped struct {
	net.Conn
	w *wire
}

func (c *tapped) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	c.w.wrote = append(c.w.wrote, b...)
	c.w.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.mu.Lock()
	c.w.read = append(c.w.read, b[:n]...)
	c.w.mu.Unlock()
	return n, err
}
