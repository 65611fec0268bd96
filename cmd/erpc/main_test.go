package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/mock"
	"github.com/goerpc/erpc/examples/protobuf/chat/chaterpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/reflect"
	"github.com/goerpc/erpc/plugin/stats"
)

type divide struct{ A, B int }

// register sets the handlers of the server that docs/cli.md calls.
func register(p erpc.Peer, r *reflect.Plugin) {
	erpc.HandleCall(p, "/math/add", func(_ context.Context, n *[]int) (*int, error) {
		sum := 0
		for _, v := range *n {
			sum += v
		}
		return &sum, nil
	}, r.Doc("adds numbers"))
	erpc.HandleCall(p, "/math/divide", func(_ context.Context, d *divide) (*int, error) {
		if d.B == 0 {
			return nil, erpc.NewStatus(1234, "division by zero").Err()
		}
		n := d.A / d.B
		return &n, nil
	})
	erpc.HandlePush(p, "/chat/say", func(context.Context, *string) error { return nil })
	registerStreams(p)
	registerRoom(p)
	chaterpc.RegisterChat(p, chatServer{})
	// The other handlers are for tests and not on the page.
	erpc.HandleCall(p, "/chat/join", func(ctx context.Context, name *string) (*bool, error) {
		return new(bool), erpc.CallCtxFrom(ctx).Session().Push("/welcome", "welcome "+*name).Err()
	})
	erpc.HandleCall(p, "/hidden/evil", func(context.Context, *struct{}) (*string, error) {
		s := "\x1b[2J\u202e\u009b\n"
		return &s, nil
	})
	erpc.HandleCall(p, "/hidden/meta", func(ctx context.Context, _ *struct{}) (*string, error) {
		s := erpc.CallCtxFrom(ctx).GetMeta("key")
		return &s, nil
	})
	erpc.HandleCall(p, "/hidden/form", func(_ context.Context, d *divide) (*struct {
		A    int
		Tags []string
	}, error) {
		return &struct {
			A    int
			Tags []string
		}{d.A * d.B, []string{"x", "y"}}, nil
	})
	erpc.HandleCall(p, "/hidden/echo", func(_ context.Context, text *string) (*string, error) {
		*text += "!"
		return text, nil
	})
	erpc.HandleCall(p, "/hidden/minus", func(_ context.Context, n *int) (*int, error) {
		*n = -*n
		return n, nil
	})
	erpc.HandleCall(p, "/hidden/stamp", func(_ context.Context, s *timestamppb.Timestamp) (*timestamppb.Timestamp, error) {
		return timestamppb.New(s.AsTime().Add(time.Second)), nil
	})
}

// serve starts a server and returns its address.
func serve(t *testing.T, cfg erpc.PeerConfig, hide []string, plugins ...erpc.Plugin) string {
	t.Helper()
	r := reflect.New(reflect.Config{Hide: hide})
	return listenWith(t, cfg, func(p erpc.Peer) { register(p, r) }, append([]erpc.Plugin{r}, plugins...)...)
}

// erpcRun runs the command line in this process.
func erpcRun(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code = run(ctx, args, stdio{strings.NewReader(in), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// The commands of docs/cli.md print what the page shows.
func TestPageIsTrue(t *testing.T) {
	home(t)
	allow := stats.New(stats.Config{Allow: func(erpc.Session) bool { return true }})
	hosts := map[string]string{"localhost:9090": serve(t, erpc.PeerConfig{}, []string{"/hidden/", "/chat/join", "/chat.v1.", "/room/", "/erpc.stats/"}, allow)}
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../examples/protobuf/chat") // where chat.proto is
	command := regexp.MustCompile(`^(?:echo '(.*)' \| )?erpc (.*?)(?: \| (.*))?$`)
	ran := map[string]int{}
	for i, block := range strings.Split(string(page), "```") {
		if text, ok := strings.CutPrefix(block, "yaml\n"); ok {
			checkRules(t, text)
		}
		text, isText := strings.CutPrefix(block, "text\n")
		if i%2 == 0 || !isText {
			continue
		}
		for _, c := range strings.Split("\n"+text, "\n$ ")[1:] {
			line, want, _ := strings.Cut(c, "\n")
			parts := command.FindStringSubmatch(line)
			if parts == nil {
				t.Errorf("this test does not know how to run %q", line)
				continue
			}
			in, pipe := parts[1], parts[3]
			args := words(parts[2])
			ran[args[0]]++
			if args[0] == "serve" {
				name := args[len(args)-1]
				args[len(args)-1] = "127.0.0.1:0"
				hosts[name], _ = standsIn(t, args[1:]...)
				continue
			}
			for i, a := range args {
				if at, ok := hosts[a]; ok {
					args[i] = at
				}
			}
			_, out, errs := erpcRun(t, in, args...)
			got := strings.TrimRight(lines(out+errs), "\n")
			want = strings.TrimRight(want, "\n")
			switch {
			case args[0] == "bench":
				if !strings.Contains(got, "p99") || errs != "" {
					t.Errorf("%s prints %s", line, got)
				}
			case args[0] == "top":
				if strings.Count(got, "\n") != 4 || !strings.Contains(got, "PER SECOND") || errs != "" {
					t.Errorf("%s prints %s", line, got)
				}
			case args[0] == "types": // the page shows the beginning
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s prints\n%s\nthe page says\n%s", line, got, want)
				}
			case pipe != "":
				var m struct{ Body json.RawMessage }
				if err := json.Unmarshal([]byte(out), &m); err != nil || string(m.Body) != want {
					t.Errorf("%s prints %s, %v; the page says %s", line, got, err, want)
				}
			case got != want:
				t.Errorf("%s prints\n%s\nthe page says\n%s", line, got, want)
			}
		}
	}
	for _, c := range commands() {
		if ran[c.name] == 0 && c.name != "completion" && c.name != "version" { // see TestShellsComplete; what it prints varies
			t.Errorf("the page does not show erpc %s", c.name)
		}
	}
}

// checkRules fails the test for rules that erpc serve does not accept.
func checkRules(t *testing.T, text string) {
	t.Helper()
	c, err := mock.Read(strings.NewReader(text))
	if err == nil {
		_, err = mock.New(c)
	}
	if err != nil {
		t.Errorf("the rules of the page: %v", err)
	}
}

// lines returns a text without trailing spaces in its lines.
func lines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// words splits a command line at spaces that are not between single quotes.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all[len(all)-1] += part
			continue
		}
		fields := strings.Fields(part)
		all = append(all, fields...)
		if strings.HasSuffix(part, " ") {
			all = append(all, "")
		}
	}
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

func TestExitCodes(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := lis.Addr().String()
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string // on the standard error
	}{
		{args: nil, code: exitUsage, says: "usage"},
		{args: []string{"help"}, code: exitOK, says: "bench"},
		{args: []string{"fly"}, code: exitUsage, says: "fly"},
		{args: []string{"call", "-h"}, code: exitOK, says: "-timeout"},
		{args: []string{"call", "-nonsense"}, code: exitUsage, says: "nonsense"},
		{args: []string{"call", addr}, code: exitUsage, says: "METHOD"},
		{args: []string{"call", addr, "/math/add", "[1"}, code: exitUsage, says: "not JSON"},
		{args: []string{"call", addr, "/math/add", "[1,", "2]"}, code: exitUsage, says: "too many"},
		{args: []string{"call", "host", "/math/add"}, code: exitUsage, says: "host:port"},
		{args: []string{"call", "-auth", "hunter2", addr, "/math/add"}, code: exitUsage, says: "list of processes"},
		{args: []string{"call", nobody, "/math/add", "[]"}, code: exitConnection, says: `"code"`},
		{args: []string{"call", addr, "/nothing"}, code: exitStatus, says: `"code":404`},
		{args: []string{"describe", addr, "/nothing"}, code: exitStatus, says: "404"},
		{args: []string{"listen", "-join", "/nothing", addr}, code: exitStatus, says: "404"},
		{args: []string{"bench", "-c", "0", addr, "/math/add"}, code: exitUsage, says: "-c"},
		{args: []string{"list", "-o", "xml", addr}, code: exitUsage, says: "text or json"},
		{args: []string{"version"}, code: exitOK},
	} {
		code, _, errs := erpcRun(t, "", c.args...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("erpc %q exits with %d and says %q; want %d, %q", c.args, code, errs, c.code, c.says)
		}
	}
}

// mounted starts a web server with a handler of mixer/websocket.
func mounted(t *testing.T, handler func(erpc.Peer, func(*http.Request) error) http.Handler) string {
	t.Helper()
	p := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)})
	register(p, reflect.New(reflect.Config{}))
	srv := httptest.NewServer(handler(p, nil))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return srv.Listener.Addr().String()
}

// A call works with each kind of target and each way to give the argument.
func TestCallOverTargets(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	tcp := serve(t, erpc.PeerConfig{}, nil)
	targets := map[string]string{
		"tcp":     tcp,
		"json":    "json+tcp://" + serve(t, erpc.PeerConfig{Protocol: "json"}, nil),
		"http":    "http://" + serve(t, erpc.PeerConfig{Protocol: "http"}, nil),
		"ws":      "ws://" + serve(t, erpc.PeerConfig{Network: "ws"}, nil),
		"pb":      "pb+tcp://" + serve(t, erpc.PeerConfig{Protocol: "pb"}, nil),
		"thrift":  "thrift+tcp://" + serve(t, erpc.PeerConfig{Protocol: "thrift"}, nil),
		"kcp":     "kcp://" + serve(t, erpc.PeerConfig{Network: "kcp"}, nil),
		"ws+json": "ws+json://" + mounted(t, websocket.NewJSONServeHandler) + "/path",
		"ws+pb":   "ws+pb://" + mounted(t, websocket.NewPbServeHandler) + "/path",
		"unix":    "unix://" + serve(t, erpc.PeerConfig{Network: "unix", ListenAddress: sock}, nil),
	}
	for name, to := range targets {
		code, out, errs := erpcRun(t, "", "call", to, "/math/add", "[1, 2]")
		if code != exitOK || out != "3\n" {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
	}
	file := filepath.Join(t.TempDir(), "arg")
	if err := os.WriteFile(file, []byte("[3]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"@" + file, "-", "[3]"} {
		if code, out, errs := erpcRun(t, "[3]", "call", "-d", d, tcp, "/math/add"); code != exitOK || out != "3\n" {
			t.Errorf("-d %s: exit %d, %q, %q", d, code, out, errs)
		}
	}
	t.Setenv("SECRET", "hush")
	if code, out, errs := erpcRun(t, "", "call", "-v", "-H", "key=${SECRET}", tcp, "/hidden/meta"); code != exitOK || out != "\"hush\"\n" || !strings.Contains(errs, "bytes") {
		t.Errorf("metadata: exit %d, %q, %q", code, out, errs)
	}
}

// Bodies of thrift are bytes for the command, over its own protocol and over others. It is
// the first command of a process, as users run it.
func TestCallWithThrift(t *testing.T) {
	body := "\x08\x00\x01\x00\x00\x00\x07\x00" // a struct whose first field is 7
	file := filepath.Join(t.TempDir(), "arg")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	echo := func(p erpc.Peer) { erpc.HandleCall(p, "/echo", kit.Same) }
	for _, to := range []string{
		"thrift-struct://" + listenWith(t, erpc.PeerConfig{Protocol: "thrift-struct"}, echo),
		"raw://" + listenWith(t, erpc.PeerConfig{}, echo),
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "call", "-codec", "thrift", "-raw", "-d", "@"+file, to, "/echo")
		cmd.Env = append(os.Environ(), asCommand+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != body {
			t.Errorf("%s: %v, %q", to, err, out)
		}
	}
}

func TestCallProtobufByReflection(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	for method, want := range map[string]string{"/hidden/stamp": "\"2001-02-03T04:05:07Z\"\n", "/math/add": ""} {
		code, out, errs := erpcRun(t, "", "call", "-codec", "protobuf", addr, method, `"2001-02-03T04:05:06Z"`)
		if out != want || (code == exitOK) != (want != "") {
			t.Errorf("%s: exit %d, %q, %q", method, code, out, errs)
		}
	}
}

func TestTokenOfFileAndEnvironment(t *testing.T) {
	login := auth.NewCheckerPlugin(auth.CheckToken(func(token string) bool { return token == "hunter2" }))
	addr := serve(t, erpc.PeerConfig{}, nil, login)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TOKEN", "hunter2")
	for _, from := range []string{"@" + file, "$TOKEN", "${TOKEN}"} {
		if code, out, errs := erpcRun(t, "", "call", "-auth", from, addr, "/math/add", "[1]"); code != exitOK || out != "1\n" {
			t.Errorf("%s: exit %d, %q, %q", from, code, out, errs)
		}
	}
	t.Setenv("ERPC_TOKEN", "wrong")
	if code, _, errs := erpcRun(t, "", "call", addr, "/math/add", "[1]"); code == exitOK || strings.Contains(errs, "wrong") {
		t.Errorf("a wrong token: exit %d, %q", code, errs)
	}
}

// Nothing that the other side sends controls the terminal, and JSON keeps its
// value.
func TestOutputIsHarmless(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	_, out, _ := erpcRun(t, "", "call", addr, "/hidden/evil")
	var s string
	if err := json.Unmarshal([]byte(out), &s); err != nil || s != "\x1b[2J\u202e\u009b\n" || strings.ContainsAny(out, "\x1b\u202e\u009b") {
		t.Errorf("printed %q: %q, %v", out, s, err)
	}
	for in, want := range map[string]string{"a\x1b[31m\n": `a\x1b[31m\n`, "\u202eé": `\u202eé`, "\xff": `\ufffd`} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) is %q, want %q", in, got, want)
		}
	}
	for _, v := range []string{"\U000e0001", "a\u2028b", "é"} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal([]byte(harmlessJSON(text)), &back); err != nil || back != v {
			t.Errorf("%q became %q, %v", v, back, err)
		}
	}
}

func TestTargets(t *testing.T) {
	for s, want := range map[string]target{
		"h:1":               {network: "tcp", addr: "h:1"},
		"tcp://h:1/":        {network: "tcp", addr: "h:1"},
		"raw+tls://h:1":     {network: "tcp", protocol: "raw", tls: true, addr: "h:1"},
		"ws+json://h:1/p":   {network: "ws", protocol: "json", messages: true, addr: "h:1/p"},
		"wss://h:1":         {network: "wss", tls: true, addr: "h:1"},
		"quic://h:1":        {network: "quic", tls: true, addr: "h:1"},
		"unix:///run/x":     {network: "unix", addr: "/run/x"},
		"http://h":          {network: "tcp", protocol: "http", addr: "h:80"},
		"https://h":         {network: "tcp", protocol: "http", tls: true, addr: "h:443"},
		"tcp://[::1]:1":     {network: "tcp", addr: "[::1]:1"},
		"h":                 {},
		"ftp://h:1":         {},
		"tcp+tls://h:1":     {},
		"unix://":           {},
		"tcp://h:1/p":       {},
		"tcp://user:p@h:1":  {},
		"ws+json+pb://h:1/": {},
	} {
		got, err := parseTarget(s)
		if (err == nil) != (want != target{}) || err == nil && got != want {
			t.Errorf("%s is %+v, %v", s, got, err)
		}
	}
}

// Each time is in the bucket that covers it, and quantiles are exact within the
// width of one bucket.
func TestHistogram(t *testing.T) {
	var h histogram
	for d := time.Duration(1); d < 1<<61; d += d/4 + 1 {
		b := bucketOf(d)
		if upper(b) < d || b > 0 && upper(b-1) >= d {
			t.Fatalf("%d lies in bucket %d, up to %d", d, b, upper(b))
		}
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := h.quantile(q); got < want || got > want+want/32+time.Millisecond {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

// In the open loop a server that stalls shows in the calls that it delays: their
// times count from the schedule.
func TestBenchCountsFromSchedule(t *testing.T) {
	r := reflect.New(reflect.Config{})
	p := erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)}, r)
	defer p.Close()
	first := make(chan struct{}, 1)
	first <- struct{}{}
	erpc.HandleCall(p, "/stop", func(context.Context, *struct{}) (*int, error) {
		select {
		case <-first:
			time.Sleep(300 * time.Millisecond)
		default:
		}
		return new(int), nil
	})
	lis, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	go p.Serve(lis)
	code, out, errs := erpcRun(t, "", "bench", "-rate", "100", "-n", "30", "-c", "1", "-o", "json", lis.Addr().String(), "/stop")
	var rep report
	if err := json.Unmarshal([]byte(out), &rep); err != nil || code != exitOK {
		t.Fatalf("exit %d, %q, %q, %v", code, out, errs, err)
	}
	if rep.Calls != 30 || rep.P50 < 50*time.Millisecond || rep.Lag < 200*time.Millisecond {
		t.Errorf("report %+v: the calls after the one that stalled had to wait for it", rep)
	}
	sum := uint64(0)
	for _, b := range rep.Buckets {
		sum += b.Calls
	}
	if sum != rep.Calls || fmt.Sprint(rep.Errors) != "map[]" {
		t.Errorf("histogram of %d calls, errors %v", sum, rep.Errors)
	}
}
