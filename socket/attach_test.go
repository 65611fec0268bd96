package socket

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// attached is a protocol whose messages are one byte each, their number. It
// records its connection and the order in which calls are sent.
type attached struct {
	conn proto.Conn
	mu   sync.Mutex // guards sent
	sent []byte
}

func (*attached) Version() (byte, string) { return 'a', "attached" }

func (*attached) Pack(dst []byte, m *message.Message) ([]byte, error) {
	return append(dst, byte(m.Seq())), nil
}

// Unpack sends a byte by Inform before it reads.
func (a *attached) Unpack(r *bufio.Reader, m *message.Message, _ int) error {
	a.conn.Inform([]byte{'?'})
	c, err := r.ReadByte()
	m.SetSeq(int32(c))
	return err
}

func (a *attached) Attach(c proto.Conn) { a.conn = c }

func (a *attached) Sent(mtype byte, seq int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mtype == message.TypeCall {
		a.sent = append(a.sent, byte(seq))
	}
}

// TestSequencer lets many goroutines write and checks that the protocol is told of
// the messages in the order in which they arrive.
func TestSequencer(t *testing.T) {
	const writers, each = 8, 30
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	conn, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	a := new(attached)
	s := New(conn, a, Config{}.Complete())
	defer abort(s)
	if a.conn.RemoteAddr().String() != lis.Addr().String() {
		t.Errorf("the protocol was told that the other side is %v", a.conn.RemoteAddr())
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				m := message.New()
				m.SetMtype(message.TypeCall)
				m.SetSeq(int32(w*each + i))
				if err := sendInline(s, m, i%2 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := make([]byte, writers*each)
	if err := other.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(other, got); err != nil {
		t.Fatal(err)
	}
	if a.mu.Lock(); string(got) != string(a.sent) {
		t.Errorf("sent\n%v, told\n%v", got, a.sent)
	}
	a.mu.Unlock()
}

// TestInform checks that bytes a protocol sends from within Unpack are written
// before it waits for the other side.
func TestInform(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	s := New(near, new(attached), Config{}.Complete())
	defer abort(s)
	if err := far.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		var m message.Message
		read <- s.Read(&m) // which begins with the first byte
		read <- s.Read(&m) // and waits for the second
	}()
	if _, err := far.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := io.ReadFull(far, b[:]); err != nil || b[0] != '?' {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := far.Write([]byte{2}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}

// asking is a protocol whose messages are two bytes each. It sends a byte by Inform
// before it reads them.
type asking struct{ attached }

func (a *asking) Unpack(r *bufio.Reader, _ *message.Message, _ int) error {
	a.conn.Inform([]byte{'?'})
	var b [2]byte
	_, err := io.ReadFull(r, b[:])
	return err
}

func (a *asking) Attach(c proto.Conn) { a.conn = c }

// What is queued is also sent before the rest of a message is waited for.
func TestInformInTheMiddleOfAMessage(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	s := New(near, new(asking), Config{}.Complete())
	defer abort(s)
	if err := far.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	read := reads(s)
	b := []byte{1}
	if _, err := far.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, b); err != nil || b[0] != '?' {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := far.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}
