package streams

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// pattern returns a message of n bytes that identifies its origin.
func pattern(seq, n int) []byte {
	b := make([]byte, n)
	for at := 0; at+8 <= n; at += 8 {
		binary.BigEndian.PutUint64(b[at:], uint64(seq)<<32|uint64(at))
	}
	return b
}

// A message that Recv returned does not change, and the argument of Send may be
// changed at once, while the memory of other messages is reused: by RecvInto, by
// decoded messages, and by transfers.
func TestNoMessageSharesMemory(t *testing.T) {
	sizes := []int{0, 8, 128, 16<<10 - 8, 16 << 10, 64 << 10, 64<<10 + 8, 200 << 10, 300 << 10}
	const count = 60
	type text struct{ S string }
	data := pattern(9, 3<<20)
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/patterns", func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error {
			var m []byte
			for {
				err := s.RecvInto(&m)
				if err != nil {
					return err
				}
				if err := s.Send(&m); err != nil {
					return err
				}
			}
		})
		erpc.HandleStream(srv, "/texts", func(_ context.Context, s *erpc.Stream[text, text]) error {
			var m text
			for {
				err := s.RecvInto(&m)
				if err != nil {
					return err
				}
				if err := s.Send(&m); err != nil {
					return err
				}
			}
		})
		erpc.HandleDownload(srv, "/download", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	done := make(chan error, 4)
	go func() { done <- keepAll(ctx, sess, sizes, count) }()
	go func() { done <- keepAll(ctx, sess, sizes, count) }()
	go func() {
		s, err := erpc.OpenStream[text, text](ctx, sess, "/texts")
		if err != nil {
			done <- err
			return
		}
		defer s.Close()
		var got []text
		for i := range count {
			want := text{S: fmt.Sprintf("%*d", 1+sizes[i%len(sizes)], i)}
			if err := s.Send(&want); err != nil {
				done <- err
				return
			}
			m, err := s.Recv()
			if err != nil {
				done <- err
				return
			}
			got = append(got, *m)
		}
		for i, m := range got {
			if want := fmt.Sprintf("%*d", 1+sizes[i%len(sizes)], i); m.S != want {
				done <- fmt.Errorf("text %d has changed", i)
				return
			}
		}
		done <- nil
	}()
	go func() {
		r, err := erpc.Download(ctx, sess, "/download")
		if err != nil {
			done <- err
			return
		}
		defer r.Close()
		var b bytes.Buffer
		_, err = io.Copy(&b, r)
		if err == nil && !bytes.Equal(b.Bytes(), data) {
			err = errors.New("the download is not what was sent")
		}
		done <- err
	}()
	for range cap(done) {
		if err := kit.Await(t, "the end of a stream", done); err != nil {
			t.Error(err)
		}
	}
}

// keepAll sends patterns from one buffer, keeps what comes back and checks it at
// the end.
func keepAll(ctx context.Context, sess erpc.Session, sizes []int, count int) error {
	s, err := erpc.OpenStream[[]byte, []byte](ctx, sess, "/patterns")
	if err != nil {
		return err
	}
	defer s.Close()
	var got [][]byte
	var out []byte
	for i := range count {
		out = append(out[:0], pattern(i, sizes[i%len(sizes)])...)
		if err := s.Send(&out); err != nil {
			return err
		}
		clear(out)
		m, err := s.Recv()
		if err != nil {
			return err
		}
		got = append(got, *m)
	}
	for i, m := range got {
		if !bytes.Equal(m, pattern(i, sizes[i%len(sizes)])) {
			return fmt.Errorf("message %d of %d bytes has changed", i, len(m))
		}
	}
	return nil
}

// RecvInto uses the given storage; Recv does not touch it.
func TestRecvInto(t *testing.T) {
	sess, _ := link(t, register, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	s := open[note, []byte](t, ctx, sess, "/echo")
	defer s.Close()
	raw := s.Raw().(*erpc.UntypedStream)
	echo := func(recv func(context.Context, any) error, v any) {
		t.Helper()
		if err := s.Send(&note{1}); err != nil {
			t.Fatal(err)
		}
		if err := recv(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	room := make([]byte, 100)
	b := room
	echo(raw.RecvInto, &b)
	if string(b) != `{"N":1}` || &b[0] != &room[0] {
		t.Errorf("%q is not where there was room", b)
	}
	echo(raw.RecvContext, &b)
	if string(b) != `{"N":1}` || &b[0] == &room[0] {
		t.Errorf("%q is in memory that may belong to another message", b)
	}
	b = make([]byte, 0, 1)
	echo(raw.RecvInto, &b)
	if string(b) != `{"N":1}` {
		t.Errorf("%q", b)
	}
	typed := open[note, note](t, ctx, sess, "/echo")
	defer typed.Close()
	if err := typed.Send(&note{}); err != nil {
		t.Fatal(err)
	}
	m := note{N: 5}
	if err := typed.RecvInto(&m); err != nil || m.N != 0 {
		t.Errorf("%v, %v: it was not cleared", m, err)
	}
}
