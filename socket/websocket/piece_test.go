package websocket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cws "github.com/coder/websocket"

	"github.com/goerpc/erpc/socket/websocket"
)

// Messages of all sizes arrive as they were sent, in frames of all sizes, compressed or
// not, though connections share the storage that they are read into.
func TestPiecesKeepTheirBytes(t *testing.T) {
	for name, messages := range map[string]bool{"a stream": false, "messages": true} {
		t.Run(name, func(t *testing.T) { testPieces(t, messages) })
	}
}

func testPieces(t *testing.T, messages bool) {
	sizes := []int{0, 1, 100, 1<<10 - 1, 1 << 10, 1<<10 + 1, 3 << 10, 1<<12 + 1<<10, 1<<12 + 1<<10 + 1, 1 << 14, 1 << 15, 1<<16 - 1, 1 << 16, 100_000, 10}
	type result struct {
		b   []byte
		err error
	}
	got := make(chan result, 4)
	h := &websocket.Handler{Config: websocket.Config{Compress: true, Messages: messages}, Serve: func(c net.Conn, _ *http.Request) {
		b, err := io.ReadAll(smallReads{c})
		got <- result{b, err}
	}}
	web := httptest.NewServer(h)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := make(chan []byte, cap(got))
	var clients sync.WaitGroup
	for i := range uint64(cap(want)) {
		random := rand.New(rand.NewPCG(i, 1))
		mode := []cws.CompressionMode{cws.CompressionDisabled, cws.CompressionNoContextTakeover}[i%2]
		clients.Go(func() {
			ws, _, err := cws.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"), &cws.DialOptions{CompressionMode: mode})
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.CloseNow()
			var sent []byte
			for _, size := range sizes {
				message := make([]byte, size)
				for k := range message {
					message[k] = byte(random.Uint32())
				}
				if messages {
					sent = binary.BigEndian.AppendUint32(sent, uint32(size))
				}
				sent = append(sent, message...)
				if err := writeInParts(ctx, ws, message, random); err != nil {
					t.Errorf("%d bytes: %v", size, err)
					return
				}
			}
			want <- sent
			_ = ws.Close(cws.StatusNormalClosure, "") // the server tells what arrived
		})
	}
	streams := make([][]byte, 0, cap(want))
	for range cap(want) {
		select {
		case r := <-got:
			if r.err != nil {
				t.Errorf("after %d bytes: %v", len(r.b), r.err)
			}
			streams = append(streams, r.b)
		case <-ctx.Done():
			t.Fatal("a connection does not end")
		}
	}
	clients.Wait()
	close(want)
	for sent := range want {
		found := false
		for _, b := range streams {
			found = found || bytes.Equal(b, sent)
		}
		if !found {
			t.Errorf("what began with %x did not arrive as it was sent", sent[:8])
		}
	}
}

// writeInParts writes a message as some frames.
func writeInParts(ctx context.Context, ws *cws.Conn, b []byte, random *rand.Rand) error {
	w, err := ws.Writer(ctx, cws.MessageBinary)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(1+random.IntN(40_000), len(b))
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return w.Close()
}

// smallReads reads at most 700 bytes at a time.
type smallReads struct{ io.Reader }

func (r smallReads) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 700)]) }
