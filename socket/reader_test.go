package socket

import (
	"bytes"
	"testing"

	"github.com/erpc-go/erpc/message"
)

// The session waits first and takes its storage only then, so what Wait has
// read must still be there for Read.
func TestWaitThenRead(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s, r := newSocket(a, Config{}), newSocket(b, Config{})
			go func() {
				for i := range 3 {
					if err := s.Write(call(i, bytes.Repeat([]byte{byte(i)}, 40*i)), false); err != nil {
						t.Error(err)
					}
				}
			}()
			for i := range 3 {
				var m message.Message
				if !r.Buffered() {
					if err := r.Wait(); err != nil {
						t.Fatal(err)
					}
				}
				if !r.Buffered() {
					t.Fatal("Wait returned and nothing is buffered")
				}
				if err := r.Read(&m); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if int(m.Seq()) != i || !bytes.Equal(m.Raw(), bytes.Repeat([]byte{byte(i)}, 40*i)) {
					t.Fatalf("message %d came as %d with %d bytes", i, m.Seq(), len(m.Raw()))
				}
			}
			_, _ = s.Close(), r.Close() // the connections are closed by pair too
		})
	}
}
