package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// registerStreams sets the stream handlers of the server that docs/cli.md calls.
func registerStreams(p erpc.Peer) {
	erpc.HandleStream(p, "/count/up", kit.CountUp)
	erpc.HandleStream(p, "/count/sum", kit.AddUp)
	erpc.HandleStream(p, "/count/double", func(_ context.Context, s *erpc.Stream[int, int]) error {
		for n, err := range s.All() {
			if err != nil {
				return err
			}
			if *n < 0 {
				return erpc.NewStatus(1234, "negative").Err()
			}
			*n *= 2
			if err := s.Send(n); err != nil {
				return err
			}
		}
		return nil
	})
	erpc.HandleStream(p, "/hidden/forever", func(ctx context.Context, s *erpc.Stream[int, string]) error {
		for text := "\x1b[2J"; ; {
			if err := s.Send(&text); err != nil {
				return err
			}
		}
	})
	erpc.HandleDownload(p, "/hidden/get", func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("\x00\xff", 100_000))
		return err
	})
	erpc.HandleUpload(p, "/hidden/put", func(_ context.Context, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err == nil && len(b) != 200_000 {
			err = fmt.Errorf("%d bytes", len(b))
		}
		return err
	})
}

// All shapes of streams work over each protocol that has them, with messages from
// all sources.
func TestStreamShapes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "numbers")
	if err := os.WriteFile(file, []byte("1\n2\n3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{
		"raw":  serve(t, erpc.PeerConfig{}, nil),
		"json": "json+tcp://" + serve(t, erpc.PeerConfig{Protocol: "json"}, nil),
		"pb":   "pb+tcp://" + serve(t, erpc.PeerConfig{Protocol: "pb"}, nil),
		"ws":   "ws://" + serve(t, erpc.PeerConfig{Network: "ws"}, nil),
	} {
		for _, c := range []struct {
			in   string
			args []string // after the flags and the target
			want string
		}{
			{args: []string{"T", "/count/up", "3"}, want: "0\n1\n2\n"},
			{args: []string{"-count", "2", "T", "/count/up", "1000000"}, want: "0\n1\n"},
			{args: []string{"T", "/count/sum", "1 2 3"}, want: "6\n"},
			{args: []string{"T", "/count/sum"}, want: "0\n"},
			{in: "1\n2\n 3 4", args: []string{"-d", "-", "T", "/count/sum"}, want: "10\n"},
			{args: []string{"-d", "@" + file, "T", "/count/double"}, want: "2\n4\n6\n"},
			{args: []string{"-count", "1", "T", "/hidden/forever"}, want: "\"\\u001b[2J\"\n"},
		} {
			for i, a := range c.args {
				if a == "T" {
					c.args[i] = to
				}
			}
			code, out, errs := erpcRun(t, c.in, append([]string{"stream"}, c.args...)...)
			if code != exitOK || out != c.want {
				t.Errorf("%s: %q: exit %d, %q, %q; want %q", name, c.args, code, out, errs, c.want)
			}
		}
	}
}

func TestStreamFailures(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	for _, c := range []struct {
		in   string
		args []string
		code int
		out  string
		says string
	}{
		{in: "1 2 x 3", args: []string{"-d", "-", addr, "/count/double"}, code: exitUsage, says: "not JSON, at byte"},
		{in: "1 -1", args: []string{"-d", "-", addr, "/count/double"}, code: exitStatus, out: "2\n", says: `"code":1234`},
		{args: []string{addr, "/nothing"}, code: exitStatus, says: `"code":404`},
		{args: []string{addr, "/count/sum", "1", "2"}, code: exitUsage, says: "quote"},
		{args: []string{"-d", "1", addr, "/count/sum", "1"}, code: exitUsage, says: "twice"},
		{args: []string{"-d", "@/nowhere", addr, "/count/sum"}, code: exitUsage, says: "nowhere"},
		{args: []string{"http://" + serve(t, erpc.PeerConfig{Protocol: "http"}, nil), "/count/sum"}, code: exitStatus, says: `"code":405`},
	} {
		code, out, errs := erpcRun(t, c.in, append([]string{"stream"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) || c.code != exitUsage && out != c.out {
			t.Errorf("%q: exit %d, %q, %q; want %d, %q, %q", c.args, code, out, errs, c.code, c.out, c.says)
		}
	}
}

// With -raw, uploads and downloads transfer plain bytes, with a checksum.
func TestStreamRaw(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	bytes := strings.Repeat("\x00\xff", 100_000)
	if code, out, errs := erpcRun(t, "", "stream", "-raw", addr, "/hidden/get"); code != exitOK || out != bytes {
		t.Errorf("download: exit %d, %d bytes, %q", code, len(out), errs)
	}
	if code, out, errs := erpcRun(t, bytes, "stream", "-raw", "-d", "-", addr, "/hidden/put"); code != exitOK || out != "" {
		t.Errorf("upload: exit %d, %q, %q", code, out, errs)
	}
}

// -timeout bounds the opening of a stream, not the stream, and an interrupted
// stream ends without an error.
func TestStreamOutlivesTimeout(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	ctx, interrupt := context.WithCancel(t.Context())
	in, typing := io.Pipe()
	out := &lineCounter{lines: make(chan string, 16)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"stream", "-timeout", "200ms", "-d", "-", addr, "/count/double"}, stdio{in, out, io.Discard})
	}()
	say := func(text string) string {
		if _, err := io.WriteString(typing, text+"\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-out.lines:
			return line
		case <-time.After(10 * time.Second):
			t.Fatal("no answer")
		}
		return ""
	}
	first := say("1")
	time.Sleep(300 * time.Millisecond) // longer than the timeout
	if second := say("2"); first != "2\n" || second != "4\n" {
		t.Errorf("answers %q, %q", first, second)
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
	typing.Close()
}

// A lineCounter forwards each write to its channel.
type lineCounter struct{ lines chan string }

func (l *lineCounter) Write(b []byte) (int, error) {
	l.lines <- string(b)
	return len(b), nil
}
