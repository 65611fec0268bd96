package streams

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goerpc/erpc"
)

// The curl lines of docs/streams.md, run by the real curl.
func TestStreamsWithCurl(t *testing.T) {
	if os.Getenv("ERPC_INTEROP") == "" {
		t.Skip("needs curl; set ERPC_INTEROP=1 to run it")
	}
	next := make(chan struct{})
	left := make(chan struct{}, 1)
	register := func(p erpc.Peer) {
		erpc.HandleStream(p, "/prices/watch", func(ctx context.Context, s *erpc.Stream[string, note]) error {
			symbol, err := s.Recv()
			if err != nil {
				return err
			}
			for n := len(*symbol); ; n++ {
				select {
				case <-next:
				case <-ctx.Done():
					left <- struct{}{}
					return ctx.Err()
				}
				if err := s.Send(&note{n}); err != nil {
					return err
				}
			}
		})
		erpc.HandleStream(p, "/files/append", func(_ context.Context, s *erpc.Stream[[]byte, string]) error {
			h, n := sha256.New(), 0
			for m, err := range s.All() {
				if err != nil {
					return err
				}
				_, _ = h.Write(*m) // it never fails
				n += len(*m)
			}
			sum := fmt.Sprintf("%d bytes, %x", n, h.Sum(nil))
			return s.Send(&sum)
		})
		erpc.HandleDownload(p, "/files/get", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("0123456789abcdef"), 1<<16))
			return err
		}, erpc.Safe())
	}
	overHTTP(t, register, func(t *testing.T, url string) {
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		defer cancel()
		curl := func(args ...string) []byte {
			t.Helper()
			out, err := exec.CommandContext(ctx, "curl", append([]string{"-sS"}, args...)...).Output()
			if err != nil {
				t.Fatalf("curl %v: %v", args, err)
			}
			return out
		}
		for name, form := range map[string][]string{"lines": nil, "events": {"-H", "Accept: text/event-stream"}} {
			t.Run(name, func(t *testing.T) { // each message arrives when it is sent
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				args := append([]string{"-sSN", "-d", `"EUR"`, "-H", "Content-Type: application/json"}, form...)
				follower := exec.CommandContext(ctx, "curl", append(args, url+"/prices/watch")...)
				out, err := follower.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := follower.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(out)
				for n := range 3 {
					next <- struct{}{}
					want := fmt.Sprintf(`{"N":%d}`, n+3)
					if form != nil {
						want = "data: " + want
					}
					for lines.Scan() && (lines.Text() == "" || lines.Text() == ":") { // ends of events, and keep-alive comments
					}
					if lines.Text() != want {
						t.Fatalf("%q, want %q", lines.Text(), want)
					}
				}
				cancel()
				_ = follower.Wait() // it was killed
				receive(t, "the end of the handler", left)
			})
		}
		file := filepath.Join(t.TempDir(), "backup.tar")
		data := make([]byte, 5<<20+3)
		_, _ = rand.Read(data) // it never fails
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("\"%d bytes, %x\"\n", len(data), sha256.Sum256(data))
		if got := curl("-T", file, url+"/files/append"); string(got) != want {
			t.Errorf("curl -T: %q, want %q", got, want)
		}
		if got := curl("-H", "Accept: application/octet-stream", url+"/files/get"); len(got) != 1<<20 || !bytes.HasPrefix(got, []byte("0123456789abcdef0")) {
			t.Errorf("curl -o: %d bytes", len(got))
		}
	})
}
