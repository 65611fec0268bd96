package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
)

// A screen is an output that can be read while it is being written to.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var servingOn = regexp.MustCompile(`serving on (\S+)\n`)

// standsIn runs erpc serve until the test ends, and returns its address and output.
func standsIn(t *testing.T, args ...string) (addr string, out *screen) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, errs := new(screen), new(screen)
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"serve"}, args...), stdio{strings.NewReader(""), out, errs})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("serve %q exits with %d: %s", args, code, errs)
		}
	})
	erpctest.Eventually(t, "serve listens", func() bool { return servingOn.MatchString(errs.String()) })
	return servingOn.FindStringSubmatch(errs.String())[1], out
}

// A rules file answers calls and streams of all shapes, with metadata, failures and
// pushes, over every protocol.
func TestServe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	rules := `
methods:
  - {method: /math/add, reply: '{{len .Arg}}', meta: {from: mock}}
  - {method: /fail, status: {code: 1234, msg: no, cause: because}}
  - {method: /broken, reply: 'x'}
  - {method: /who, reply: '{{json (.Get "key")}}'}
  - {method: /feed, feed: ['{{.N}}', '{{.Arg}}'], repeat: 2, every: 1ms}
  - {method: /each, each: '{"got":{{.Arg}}}', reply: '{{.N}}'}
pushes:
  - {method: /tick, body: '{{.Count}}', every: 20ms}
`
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	for scheme, streams := range map[string]bool{"tcp": true, "json+tcp": true, "ws": true, "ws+json": true, "ws+pb": true, "http": false} {
		addr, out := standsIn(t, "-f", file, "-reply", "/first={{.Count}}", scheme+"://127.0.0.1:0")
		to := scheme + "://" + addr
		for _, c := range []struct {
			args []string // after the command and the target
			code int
			out  string
			says string
		}{
			{args: []string{"call", "-v", "T", "/math/add", "[5,6]"}, out: "2\n", says: "rom: mock"},
			{args: []string{"call", "T", "/fail"}, code: exitStatus, says: `"code":1234`},
			{args: []string{"call", "T", "/broken"}, code: exitStatus, says: `"code":500`},
			{args: []string{"call", "T", "/nothing"}, code: exitStatus, says: `"code":404`},
			{args: []string{"call", "-H", "key=v", "T", "/who"}, out: "\"v\"\n"},
			{args: []string{"call", "T", "/first"}, out: "1\n"},
			{args: []string{"call", "T", "/first"}, out: "2\n"},
			{args: []string{"push", "T", "/any", "7"}},
			{args: []string{"stream", "T", "/feed", "9"}, out: "1\n9\n3\n9\n"},
			{args: []string{"stream", "T", "/each", "1 2 3"}, out: "{\"got\":1}\n{\"got\":2}\n{\"got\":3}\n3\n"},
			{args: []string{"stream", "T", "/each"}, out: "0\n"},
			{args: []string{"stream", "T", "/fail"}, code: exitStatus, says: `"code":1234`},
		} {
			if c.args[0] == "stream" && !streams {
				continue
			}
			args := strings.Split(strings.ReplaceAll(strings.Join(c.args, "\x00"), "T", to), "\x00")
			code, got, errs := erpcRun(t, "", args...)
			if code != c.code || got != c.out || !strings.Contains(errs, c.says) {
				t.Errorf("%s: exit %d, %q, %q; want %d, %q, %q", args, code, got, errs, c.code, c.out, c.says)
			}
		}
		if streams { // over HTTP a session begins with the client's first message
			code, got, errs := erpcRun(t, "", "listen", "-count", "2", to)
			if code != exitOK || strings.Count(got, `"method":"/tick"`) != 2 {
				t.Errorf("%s: listen: exit %d, %q, %q", scheme, code, got, errs)
			}
		}
		erpctest.Eventually(t, "the push is printed", func() bool { return strings.Contains(out.String(), `"kind":"push","method":"/any"`) })
		if line, _, _ := strings.Cut(out.String(), "\n"); !strings.Contains(line, `"kind":"call","method":"/math/add"`) || !strings.Contains(line, `"body":[5,6]`) {
			t.Errorf("%s: printed %s", scheme, line)
		}
	}
}

func TestServeProtobufAndFlags(t *testing.T) {
	addr, out := standsIn(t, "-proto", chatProto, "-q", "-delay", "50ms", "-reply", `/chat.v1.Chat/Say={"number": {{len .Arg.text}}}`, "127.0.0.1:0")
	begin := time.Now()
	code, got, errs := erpcRun(t, "", "call", "-proto", chatProto, addr, "/chat.v1.Chat/Say", `{"text":"four"}`)
	if code != exitOK || got != "{\"number\":\"4\"}\n" || time.Since(begin) < 50*time.Millisecond {
		t.Errorf("exit %d, %q, %q, in %v", code, got, errs, time.Since(begin))
	}
	if out.String() != "" {
		t.Errorf("-q prints %q", out)
	}
	addr, _ = standsIn(t, "-error-rate", "1", "-error", "503", "-reply", "/x=1", "127.0.0.1:0")
	if code, _, errs := erpcRun(t, "", "call", addr, "/x"); code != exitStatus || !strings.Contains(errs, `"code":503`) {
		t.Errorf("exit %d, %q", code, errs)
	}
	if code, _, errs := erpcRun(t, "", "call", "-timeout", "100ms", addr, "/y"); code != exitStatus || !strings.Contains(errs, "no rule fits") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestServeMistakes(t *testing.T) {
	addr, _ := standsIn(t, "127.0.0.1:0")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("methods: [{replay: 1}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, exitUsage, "ADDRESS"},
		{[]string{"nowhere"}, exitUsage, "host:port"},
		{[]string{"tls://127.0.0.1:0"}, exitUsage, "-cert"},
		{[]string{"-f", "/nowhere", "127.0.0.1:0"}, exitUsage, "nowhere"},
		{[]string{"-f", bad, "127.0.0.1:0"}, exitUsage, "replay"},
		{[]string{"-reply", "/x", "127.0.0.1:0"}, exitUsage, "METHOD=TEMPLATE"},
		{[]string{"-reply", "/x={{", "127.0.0.1:0"}, exitUsage, "/x"},
		{[]string{addr}, exitConnection, "in use"},
	} {
		if code, _, errs := erpcRun(t, "", append([]string{"serve"}, c.args...)...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit %d, %q; want %d, %q", c.args, code, errs, c.code, c.says)
		}
	}
}

// The mock prints what strangers send without harm, and goes on when its output is
// closed.
func TestServeIsHarmless(t *testing.T) {
	addr, out := standsIn(t, "-reply", "*=1", "127.0.0.1:0")
	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	evil := "/\x1b[2J<b>\n\u202e"
	var one int
	if st := sess.Call(evil, &evil, &one, erpc.WithAddMeta(evil, evil)).Status(); !st.OK() || one != 1 {
		t.Fatalf("answered %d, %v", one, st)
	}
	text := out.String()
	var line arrival
	if err := json.Unmarshal([]byte(text), &line); err != nil || line.Method != evil || strings.ContainsAny(strings.TrimSuffix(text, "\n"), "\x1b\u202e\n") {
		t.Errorf("printed %q, %v", text, err)
	}
	s := &standIn{o: &options{color: "never", std: stdio{out: brokenPipe{}, err: io.Discard}}}
	s.print(line)
	if !s.o.serve.quiet {
		t.Error("it goes on printing to a closed output")
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
