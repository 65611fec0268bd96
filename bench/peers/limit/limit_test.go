package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/internal/test/wait"
)

func TestMain(m *testing.M) { wait.Main(m) }

// connect returns both ends of a TCP connection, closed when the test ends.
func connect(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// Callers that share a connection each get the replies to their own calls.
func TestCalls(t *testing.T) {
	a, b := connect(t)
	var running sync.WaitGroup
	running.Go(func() { answer(b) })
	c := &client{conn: a}
	callers := make([]func() error, 200)
	for i := range callers {
		callers[i] = c.caller(rig.Config{})
	}
	running.Go(c.read)
	var wg sync.WaitGroup
	for _, call := range callers {
		wg.Go(func() {
			for range 50 {
				if err := call(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	a.Close()
	running.Wait()
	if c.inFlight != 0 || c.leading || len(c.out) != 0 {
		t.Errorf("%d in flight, leading %v, %d bytes queued", c.inFlight, c.leading, len(c.out))
	}
	for i, call := range callers[:2] {
		if call() == nil {
			t.Errorf("caller %d: a call on a closed connection succeeded", i)
		}
	}
}

// The end of a connection ends the calls that wait.
func TestConnectionEnds(t *testing.T) {
	a, b := connect(t)
	c := &client{conn: a}
	call := c.caller(rig.Config{})
	var running sync.WaitGroup
	running.Go(c.read)
	failed := make(chan error, 1)
	running.Go(func() { failed <- call() })
	if _, err := io.ReadFull(b, make([]byte, headLen)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("a call without a reply succeeded")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the call hangs")
	}
	running.Wait()
}

// dribble is a connection that gives what it has in pieces.
type dribble struct {
	net.Conn
	data  []byte
	piece int
}

func (d *dribble) Read(p []byte) (int, error) {
	n := copy(p, d.data[:min(d.piece, len(d.data))])
	d.data = d.data[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestFrames(t *testing.T) {
	var all []byte
	sizes := []int{0, 1, 581, 70_000, 8, readSize, maxBody, 3}
	for i, n := range sizes {
		start := len(all)
		all = append(appendHead(all), bytes.Repeat([]byte{byte(i)}, n)...)
		setHead(all[start:], uint32(i))
	}
	for _, piece := range []int{7, 4096, 65_536, 1 << 30} {
		f := newFrames(&dribble{data: all, piece: piece})
		got := 0
		for {
			slot, body, ok := f.buffered()
			if !ok {
				if err := f.fill(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				continue
			}
			if int(slot) != got || len(body) != sizes[got] || bytes.Count(body, []byte{byte(got)}) != len(body) {
				t.Fatalf("in pieces of %d: frame %d has slot %d and %d bytes", piece, got, slot, len(body))
			}
			got++
		}
		if got != len(sizes) {
			t.Errorf("in pieces of %d: %d frames of %d", piece, got, len(sizes))
		}
	}
}

func TestFrameTooLarge(t *testing.T) {
	head := binary.LittleEndian.AppendUint32(nil, maxBody+1)
	f := newFrames(&dribble{data: append(head, 0, 0, 0, 0, 1), piece: 9})
	if err := f.fill(); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := f.buffered(); ok {
		t.Fatal("a frame that is not there")
	}
	if err := f.fill(); err == nil || !strings.Contains(err.Error(), "frame of") {
		t.Errorf("%v", err)
	}
}

func TestPush(t *testing.T) {
	const sessions, size, rounds = 5, 128, 4
	var c conns
	var got atomic.Int64
	var readers sync.WaitGroup
	for range sessions {
		a, b := connect(t)
		c.add(b)
		readers.Go(func() {
			in := newFrames(a)
			for range batch * rounds {
				for {
					_, body, ok := in.buffered()
					if ok {
						got.Add(int64(len(body)))
						break
					}
					if err := in.fill(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range rounds {
		if n, err := c.push(make([]byte, size)); n != sessions*batch || err != nil {
			t.Fatalf("pushed %d, %v", n, err)
		}
	}
	readers.Wait()
	if want := int64(sessions * batch * rounds * size); got.Load() != want {
		t.Errorf("%d bytes of %d arrived", got.Load(), want)
	}
	c.open[2].Close()
	if _, err := c.push(make([]byte, size)); err == nil {
		t.Error("a push to a closed connection succeeded")
	}
}

func TestLarge(t *testing.T) {
	for name, exchange := range map[string]func(net.Conn, []byte, []byte) error{"copy": exchangeCopy, "store": exchangeStore} {
		a, b := connect(t)
		const size = 3 << 20
		ended := make(chan error, 1)
		go func() {
			if name == "copy" {
				ended <- echoCopy(b)
			} else {
				ended <- echoStore(b, size)
			}
		}()
		out, in := rig.NewBody(size), make([]byte, size)
		for range 3 {
			clear(in)
			if err := exchange(a, out, in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := rig.CheckBody(in, size); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		a.Close()
		if err := <-ended; err != nil {
			t.Errorf("%s: the server: %v", name, err)
		}
	}
}
