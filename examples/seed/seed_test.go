//go:build unix

package seed

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each step of the test, including the build of the programs.
const patience = 2 * time.Minute

// build compiles one of the two programs to a file of its own. Only the port and
// the waits are changed.
func build(t *testing.T, name, port string) string {
	t.Helper()
	source, err := filepath.Abs(filepath.Join(name, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]string{{"9090", port}, {"time.Second * 5", "time.Second / 20"}, {"time.Second * 10", "time.Second"}} {
		text = bytes.ReplaceAll(text, []byte(r[0]), []byte(r[1]))
	}
	dir := t.TempDir()
	changed, overlay, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, name)
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{changed: text, overlay: replace} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-overlay", overlay, "-o", program, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// output is what a program has written so far.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// say waits until all the words have been written.
func (o *output) say(t *testing.T, words ...string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		said := o.String()
		missing := ""
		for _, w := range words {
			if !strings.Contains(said, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q was not written:\n%s", missing, said)
		}
	}
}

func start(t *testing.T, program string) (*exec.Cmd, *output) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd, out := exec.CommandContext(ctx, program), new(output)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// The client gets its result and the broadcasts; the server exits cleanly on
// SIGTERM.
func TestTheProgramsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles two programs")
	}
	free, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, client := build(t, "server", port), build(t, "client", port)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}

	srv, served := start(t, server)
	served.say(t, "listening")
	cli, got := start(t, client)
	if err := cli.Wait(); err != nil {
		t.Errorf("the client: %v", err)
	}
	got.say(t, "result: 15", "Wait 10 seconds", "this is a broadcast, server time:")
	served.say(t, "author: andeya", "/math/add", "/push/status", "cost=", "[1,2,3,4,5]", "author=andeya")
	if err := srv.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := srv.Wait(); err != nil {
		t.Errorf("the server: %v\n%s", err, served)
	}
}
