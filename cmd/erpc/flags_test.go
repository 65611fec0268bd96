package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/reflect"
	"github.com/goerpc/erpc/plugin/stats"
)

// A witness is a server that records what a command does to it.
type witness struct {
	addr string

	mu       sync.Mutex // guards the following
	sessions int
	working  int
	busiest  int      // handlers of /probe that run at the same time
	notes    []string // kind, method, metadata and codec of each message, tokens, certificates
}

func (w *witness) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// has reports whether a note begins with text.
func (w *witness) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.notes, func(s string) bool { return strings.HasPrefix(s, text) })
}

// take returns the notes since the last call of take.
func (w *witness) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.notes)
	text := fmt.Sprint(w.sessions, " sessions, ", w.busiest, " at once, ", len(w.notes), " notes: ", slices.Compact(w.notes))
	w.sessions, w.busiest, w.notes = 0, 0, nil
	return text
}

// probe takes long enough for others of its kind to run at the same time.
func (w *witness) probe(context.Context, *int) (*int, error) {
	w.mu.Lock()
	w.working++
	w.busiest = max(w.busiest, w.working)
	w.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // so that calls of the same time overlap
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working--
	return new(int), nil
}

// newWitness starts a witness, over TLS with the certificate of a file.
func newWitness(t *testing.T, cert, key string) *witness {
	t.Helper()
	w := new(witness)
	header := func(kind string) func(erpc.ReadCtx) *erpc.Status {
		return func(ctx erpc.ReadCtx) *erpc.Status {
			w.note("%s %s key=%s codec=%c", kind, ctx.ServiceMethod(), ctx.PeekMeta("key"), ctx.Input().BodyCodec())
			return nil
		}
	}
	notes := &erpc.PluginImpl{
		PluginName:           "witness",
		OnPostReadCallHeader: header("call"),
		OnPostReadPushHeader: header("push"),
		OnPostOpen: func(erpc.Session, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sessions++
		},
	}
	login := auth.NewCheckerPlugin(auth.CheckToken(func(token string) bool {
		w.note("token %s", token)
		return true
	}))
	r := reflect.New(reflect.Config{})
	counts := stats.New(stats.Config{Allow: func(erpc.Session) bool { return true }})
	p := kit.Peer(t, erpc.PeerConfig{ListenAddress: "127.0.0.1:0"}, r, counts, login, notes)
	register(p, r)
	erpc.HandleCall(p, "/probe", w.probe)
	erpc.HandlePush(p, "/probe", func(context.Context, *int) error { return nil })
	erpc.HandleCall(p, "/twice", func(ctx context.Context, n *int) (*int, error) {
		sess := erpc.CallCtxFrom(ctx).Session()
		if st := sess.Push("/one", *n); !st.OK() {
			return nil, st.Err()
		}
		return n, sess.Push("/two", *n).Err()
	})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	p.SetTLSConfig(&tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			w.note("%d certificates", len(s.PeerCertificates))
			return nil
		},
	})
	w.addr = "tls://" + kit.Start(t, p)
	return w
}

// Numbers, bars and runs of spaces differ from run to run.
var (
	varies = regexp.MustCompile(`[0-9.]+(ns|µs|ms|s|m)?`)
	barred = regexp.MustCompile(`(?s)#+\n.*`)
	spaces = regexp.MustCompile(` +`)
)

// outcome runs a command line and returns everything that can be observed of it.
func (w *witness) outcome(t *testing.T, line string) string {
	t.Helper()
	w.take()
	code, out, errs := erpcRun(t, "7", words(line)...)
	switch command, _, _ := strings.Cut(line, " "); {
	case command == "push" && code == exitOK: // it does not wait until the push has arrived
		kit.Eventually(t, kit.Bound, "the push", func() bool { return w.has("push ") })
	case command == "bench" && strings.HasPrefix(out, "{"):
		out = "JSON"
	case command == "bench" || command == "top":
		out = spaces.ReplaceAllString(varies.ReplaceAllString(barred.ReplaceAllString(out, ""), "N"), " ")
	case command == "listen":
		_, out, _ = strings.Cut(out, `"method"`) // after the time
	}
	return fmt.Sprintf("exit %d\n%s\n%s\n%s", code, out, errs, w.take())
}

// Every flag of every command changes what the command does: no flag is accepted
// and ignored.
func TestEveryFlagCounts(t *testing.T) {
	home(t)
	t.Setenv("ERPC_TOKEN", "one")
	t.Setenv("SECOND", "two")
	cert, key := certificate(t)
	w := newWitness(t, cert, key)
	fill := strings.NewReplacer("CA", "-ca "+cert, "NAME", "-servername example.org", "T", w.addr, "CERT", cert, "KEY", key,
		"PROTO", chatProto, "DIR", "../../examples/protobuf/chat").Replace

	type row struct{ without, with string }
	rows := map[string]row{
		"call -d":        {"call CA NAME T /math/add", "call CA NAME -d [1,2] T /math/add"},
		"call -codec":    {"call CA NAME T /probe 1", "call CA NAME -codec plain T /probe 1"},
		"call -proto":    {`call CA NAME T /chat.v1.Chat/Say {}`, `call CA NAME -proto PROTO T /chat.v1.Chat/Say {}`},
		"call -I":        {`call CA NAME -proto chat.proto T /chat.v1.Chat/Say {}`, `call CA NAME -proto chat.proto -I DIR T /chat.v1.Chat/Say {}`},
		"call -protoset": {`call CA NAME T /chat.v1.Chat/Say {}`, `call CA NAME -protoset /nowhere T /chat.v1.Chat/Say {}`},
		"call -raw":      {"call CA NAME T /hidden/evil", "call CA NAME -raw T /hidden/evil"},

		"push -d":        {"push CA NAME T /probe", "push CA NAME -d [ T /probe"},
		"push -codec":    {"push CA NAME T /probe 1", "push CA NAME -codec plain T /probe 1"},
		"push -proto":    {"push CA NAME T /chat.v1.Chat/Say {}", "push CA NAME -proto PROTO T /chat.v1.Chat/Say {}"},
		"push -I":        {"push CA NAME -proto chat.proto T /chat.v1.Chat/Say {}", "push CA NAME -proto chat.proto -I DIR T /chat.v1.Chat/Say {}"},
		"push -protoset": {"push CA NAME T /chat.v1.Chat/Say {}", "push CA NAME -protoset /nowhere T /chat.v1.Chat/Say {}"},
		"push -color":    {"push -timeout 1ns T /probe", "push -timeout 1ns -color always T /probe"},

		"stream -d":        {"stream CA NAME T /count/sum", "stream CA NAME -d - T /count/sum"},
		"stream -codec":    {"stream CA NAME T /count/sum 1", "stream CA NAME -codec plain T /count/sum 1"},
		"stream -proto":    {"stream CA NAME T /chat.v1.Chat/Watch {}", "stream CA NAME -proto PROTO T /chat.v1.Chat/Watch {}"},
		"stream -I":        {"stream CA NAME -proto chat.proto T /chat.v1.Chat/Watch {}", "stream CA NAME -proto chat.proto -I DIR T /chat.v1.Chat/Watch {}"},
		"stream -protoset": {"stream CA NAME T /chat.v1.Chat/Watch {}", "stream CA NAME -protoset /nowhere T /chat.v1.Chat/Watch {}"},
		"stream -raw":      {"stream CA NAME T /hidden/get", "stream CA NAME -raw T /hidden/get"},
		"stream -count":    {"stream CA NAME T /count/up 3", "stream CA NAME -count 1 T /count/up 3"},

		"listen -join":  {"listen CA NAME -count 1 -join /twice=1 T", "listen CA NAME -count 1 -join /twice=2 T"},
		"listen -count": {"listen CA NAME -count 1 -join /twice=1 T", "listen CA NAME -count 2 -join /twice=1 T"},

		"list -o":        {"list CA NAME T", "list CA NAME -o json T"},
		"list -proto":    {"list CA NAME T /chat.v1.Chat/", "list -proto PROTO /chat.v1.Chat/W"},
		"list -I":        {"list -proto chat.proto", "list -proto chat.proto -I DIR"},
		"list -protoset": {"list CA NAME T", "list -protoset /nowhere"},

		"describe -codec":    {"describe CA NAME T /chat.v1.Chat/Say", "describe CA NAME -codec protobuf T /chat.v1.Chat/Say"},
		"describe -proto":    {"describe CA NAME T /chat.v1.Chat/Say", "describe -proto PROTO /chat.v1.Chat/Watch"},
		"describe -I":        {"describe -proto chat.proto /chat.v1.Chat/Say", "describe -proto chat.proto -I DIR /chat.v1.Chat/Say"},
		"describe -protoset": {"describe CA NAME T /probe", "describe -protoset /nowhere /probe"},
		"describe -template": {"describe CA NAME T /math/divide", "describe CA NAME -template T /math/divide"},

		"types -import": {"types CA NAME T", "types CA NAME -import ./erpc.js T"},
		"types -color":  {"types -timeout 1ns T", "types -timeout 1ns -color always T"},

		"bench -d":           {"bench CA NAME -n 3 T /math/add", `bench CA NAME -n 3 -d "x" T /math/add`},
		"bench -codec":       {"bench CA NAME -n 3 T /probe 1", "bench CA NAME -n 3 -codec plain T /probe 1"},
		"bench -proto":       {"bench CA NAME -n 3 T /chat.v1.Chat/Say {}", "bench CA NAME -n 3 -proto PROTO T /chat.v1.Chat/Say {}"},
		"bench -I":           {"bench CA NAME -n 3 -proto chat.proto T /chat.v1.Chat/Say {}", "bench CA NAME -n 3 -proto chat.proto -I DIR T /chat.v1.Chat/Say {}"},
		"bench -protoset":    {"bench CA NAME -n 3 T /chat.v1.Chat/Say {}", "bench CA NAME -n 3 -protoset /nowhere T /chat.v1.Chat/Say {}"},
		"bench -o":           {"bench CA NAME -n 3 T /probe 1", "bench CA NAME -n 3 -o json T /probe 1"},
		"bench -color":       {"bench -timeout 1ns T /probe", "bench -timeout 1ns -color always T /probe"},
		"bench -conns":       {"bench CA NAME -n 3 T /probe 1", "bench CA NAME -n 3 -conns 2 T /probe 1"},
		"bench -c":           {"bench CA NAME -n 6 T /probe 1", "bench CA NAME -n 6 -c 1 T /probe 1"},
		"bench -n":           {"bench CA NAME -n 3 T /probe 1", "bench CA NAME -n 4 T /probe 1"},
		"bench -duration":    {"bench CA NAME -n 3 T /probe 1", "bench CA NAME -n 3 -duration 1ns T /probe 1"},
		"bench -warmup":      {"bench CA NAME -duration 1ns T /probe 1", "bench CA NAME -duration 1ns -warmup 50ms T /probe 1"},
		"bench -rate":        {"bench CA NAME -n 3 T /probe 1", "bench CA NAME -n 3 -rate 1000 T /probe 1"},
		"bench -subscribers": {`bench CA NAME -n 3 T /room/say "x"`, `bench CA NAME -n 3 -subscribers 2 -join /room/join="me" T /room/say "x"`},
		"bench -join":        {`bench CA NAME -n 1 -subscribers 2 -join /room/join="me" T /room/say "x"`, `bench CA NAME -n 1 -subscribers 2 -join /nothing T /room/say "x"`},
		"bench -on":          {`bench CA NAME -n 1 -subscribers 2 -join /room/join="me" T /room/say "x"`, `bench CA NAME -n 1 -timeout 1s -subscribers 2 -join /room/join="me" -on /nothing T /room/say "x"`},
		"bench -push":        {`bench CA NAME -n 1 -subscribers 2 -join /room/join="me" -on /room/said T /room/say "x"`, `bench CA NAME -n 1 -subscribers 2 -join /room/join="me" -on /room/said -push T /room/say "x"`},

		"top -o":        {"top CA NAME -count 1 -interval 10ms T", "top CA NAME -count 1 -interval 10ms -o json T"},
		"top -interval": {"top CA NAME -count 1 -interval 10ms T", "top CA NAME -count 1 -interval 0s T"},
		"top -sort":     {"top CA NAME -count 1 -interval 10ms T", "top CA NAME -count 1 -interval 10ms -sort name T"},
		"top -rows":     {"top CA NAME -count 1 -interval 10ms T", "top CA NAME -count 1 -interval 10ms -rows 1 T"},
		"top -count":    {"top CA NAME -count 1 -interval 10ms T", "top CA NAME -count 2 -interval 10ms T"},
	}
	// The flags of a connection, for every command that makes one.
	for command, line := range map[string]string{
		"call": "T /probe 1", "push": "T /probe 1", "stream": "T /count/sum 1", "listen": "-count 1 -join /twice=1 T", "list": "T",
		"describe": "T /math/add", "types": "T", "bench": "-n 3 T /probe 1", "top": "-count 1 -interval 10ms T",
	} {
		for name, r := range map[string]row{
			"timeout":    {"CA NAME", "CA NAME -timeout 1ns"},
			"ca":         {"NAME", "CA NAME"},
			"servername": {"CA", "CA NAME"},
			"insecure":   {"", "-insecure"},
			"cert":       {"CA NAME", "CA NAME -cert CERT -key KEY"},
			"key":        {"CA NAME", "CA NAME -key KEY"},
			"auth":       {"CA NAME", "CA NAME -auth $SECOND"},
			"v":          {"CA NAME", "CA NAME -v"},
			"H":          {"CA NAME", "CA NAME -H key=value"},
			"color":      {"CA NAME", "CA NAME -color always"},
		} {
			if id := command + " -" + name; rows[id] == (row{}) {
				rows[id] = row{command + " " + r.without + " " + line, command + " " + r.with + " " + line}
			}
		}
	}
	outcomes := map[string]string{} // of the lines without a flag, many of which are the same
	for id, r := range rows {
		without, known := outcomes[r.without]
		if !known {
			without = w.outcome(t, fill(r.without))
			outcomes[r.without] = without
		}
		with := w.outcome(t, fill(r.with))
		if without == with {
			t.Errorf("%s is ignored: with and without it\n%s", id, with)
		}
	}
	for _, c := range commands() {
		if c.name == "serve" || c.target == noTarget { // see TestEveryFlagOfServeCounts; the others have none
			continue
		}
		c.flagSet(&options{std: stdio{err: io.Discard}}).VisitAll(func(f *flag.Flag) {
			if rows[c.name+" -"+f.Name] == (row{}) {
				t.Errorf("erpc %s -%s is not tried", c.name, f.Name)
			}
		})
	}
}

// The same for the command that stands in for a peer.
func TestEveryFlagOfServeCounts(t *testing.T) {
	cert, key := certificate(t)
	rules := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(rules, []byte("methods: [{method: /x, reply: 2}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	say := `/chat.v1.Chat/Say={}`
	tried := map[string]bool{}
	for _, c := range []struct {
		flag          string
		without, with []string // flags of serve
		scheme        string
		call          []string // flags of the call, and what follows the target
	}{
		{flag: "reply", with: []string{"-reply", "/x=1"}},
		{flag: "f", with: []string{"-f", rules}},
		{flag: "delay", without: []string{"-reply", "/x=1"}, with: []string{"-reply", "/x=1", "-delay", "1h"}},
		{flag: "jitter", without: []string{"-reply", "/x=1"}, with: []string{"-reply", "/x=1", "-jitter", "10000h"}},
		{flag: "error-rate", without: []string{"-reply", "/x=1"}, with: []string{"-reply", "/x=1", "-error-rate", "1"}},
		{flag: "error", without: []string{"-reply", "/x=1", "-error-rate", "1"}, with: []string{"-reply", "/x=1", "-error-rate", "1", "-error", "503"}},
		{flag: "q", without: []string{"-reply", "/x=1"}, with: []string{"-reply", "/x=1", "-q"}},
		{flag: "color", without: []string{"-reply", "/x=1"}, with: []string{"-reply", "/x=1", "-color", "always"}},
		{flag: "proto", without: []string{"-reply", say}, with: []string{"-reply", say, "-proto", chatProto}, call: []string{"-proto", chatProto, "/chat.v1.Chat/Say"}},
		{flag: "I", without: []string{"-proto", "chat.proto"}, with: []string{"-proto", "chat.proto", "-I", "../../examples/protobuf/chat"}},
		{flag: "protoset", with: []string{"-protoset", "/nowhere"}},
		{flag: "cert", scheme: "tls://", with: []string{"-cert", cert, "-key", key}},
		{flag: "key", scheme: "tls://", without: []string{"-cert", cert}, with: []string{"-cert", cert, "-key", key}},
	} {
		tried[c.flag] = true
		outcome := func(flags []string) string {
			ctx, stop := context.WithCancel(t.Context())
			out, errs := new(screen), new(screen)
			ended := make(chan int, 1)
			go func() {
				ended <- run(ctx, append(append([]string{"serve"}, flags...), c.scheme+"127.0.0.1:0"), stdio{strings.NewReader(""), out, errs})
			}()
			text := ""
			kit.Eventually(t, kit.Bound, "serve listens or ends", func() bool { return servingOn.MatchString(errs.String()) || len(ended) > 0 })
			if m := servingOn.FindStringSubmatch(errs.String()); m != nil {
				args := []string{"call", "-timeout", "300ms"}
				if c.scheme != "" {
					args = append(args, "-insecure")
				}
				args, method := append(args, c.call[:max(0, len(c.call)-1)]...), "/x"
				if len(c.call) > 0 {
					method = c.call[len(c.call)-1]
				}
				code, got, says := erpcRun(t, "", append(args, c.scheme+m[1], method)...)
				text = fmt.Sprint(code, got, says)
			}
			stop()
			code := kit.Await(t, "end of serve", ended)
			said, _, _ := strings.Cut(errs.String(), "serving on")
			printed := "nothing"
			if text := out.String(); text != "" {
				printed = text[:9] // up to the time
			}
			return fmt.Sprint(code, said, printed, text)
		}
		if without, with := outcome(c.without), outcome(c.with); without == with {
			t.Errorf("serve -%s is ignored: with and without it %q", c.flag, with)
		}
	}
	for _, c := range commands() {
		if c.name != "serve" {
			continue
		}
		c.flagSet(&options{std: stdio{err: io.Discard}}).VisitAll(func(f *flag.Flag) {
			if !tried[f.Name] {
				t.Errorf("erpc serve -%s is not tried", f.Name)
			}
		})
	}
}

// Flags that would have no effect with others, or on the target, are refused with a
// hint what to do. Saved ones are dropped.
func TestFlagsWithoutEffectAreRefused(t *testing.T) {
	home(t)
	addr := serve(t, erpc.PeerConfig{}, nil)
	for line, says := range map[string]string{
		"call -ca /nowhere T /math/add []":                     "-ca is for TLS",
		"call -insecure T /math/add []":                        "-insecure is for TLS",
		"call -servername x kcp://127.0.0.1:1 /math/add []":    "-servername is for TLS",
		"call -insecure -ca x tls://127.0.0.1:1 /math/add []":  "-insecure verifies nothing",
		"call -I /tmp T /math/add []":                          "-I is for -proto",
		"call -proto PROTO -codec json T /chat.v1.Chat/Say {}": "-proto is for -codec protobuf",
		"push -raw T /chat/say":                                "not defined: -raw",
		"bench -raw T /math/add":                               "not defined: -raw",
		"call T -v /math/add []":                               "in front of it",
		"list T -v":                                            "in front of it",
		"describe T /math/add -template":                       "in front of it",
		"list -timeout 5s -proto PROTO":                        "-timeout is for a connection",
		"describe -auth $X -proto PROTO /chat.v1.Chat/Say":     "-auth is for a connection",
		"describe -codec form T /math/add":                     "json or protobuf",
		"stream -raw -codec json T /hidden/get":                "-codec has no use",
		"stream -raw -proto PROTO T /hidden/get":               "-proto has no use",
		"listen -H key=value T":                                "-H is for the call of -join",
		"listen -count -1 T":                                   "-count must not be negative",
		"bench -subscribers 2 -conns 2 T /room/say":            "-conns does not go with -subscribers",
		"bench -subscribers 2 -c 2 T /room/say":                "-c does not go with -subscribers",
		"bench -subscribers 2 -warmup 1s T /room/say":          "-warmup",
		"bench -push T /room/say":                              "-subscribers must be positive",
		"bench -conns 17 T /math/add":                          "raise -c",
		"serve -delay 1s 127.0.0.1:0":                          "-delay is for the rules",
		"serve -error-rate 1 127.0.0.1:0":                      "-error-rate is for the rules",
		"serve -error 503 -reply /x=1 127.0.0.1:0":             "-error is for -error-rate",
		"serve -cert x -key y 127.0.0.1:0":                     "-cert is for TLS",
		"version now":                                          "no arguments",
	} {
		line = strings.NewReplacer("T ", addr+" ", "PROTO", chatProto).Replace(line + " ")
		if code, out, errs := erpcRun(t, "", words(line)...); code != exitUsage || !strings.Contains(errs, says) || out != "" {
			t.Errorf("erpc %s: exit %d, %q, %q; want %q", line, code, out, errs, says)
		}
	}
	// An argument may begin with a dash, and saved flags apply where they have an
	// effect.
	for _, line := range []string{"call T /hidden/minus -5", "context set -insecure -proto PROTO -H a=b saved T", "call -codec json saved /math/add [1]", "list saved"} {
		line = strings.NewReplacer("T ", addr+" ", "PROTO", chatProto).Replace(line + " ")
		if code, out, errs := erpcRun(t, "", words(line)...); code != exitOK {
			t.Errorf("erpc %s: exit %d, %q, %q", line, code, out, errs)
		}
	}
	if code, _, errs := erpcRun(t, "", "help", "bench"); code != exitOK || !strings.Contains(errs, "-subscribers") {
		t.Errorf("help of a command: exit %d, %q", code, errs)
	}
}

// Flags with the zero value of their type are off: they are not refused beside others or
// for a target, and one on the command line switches a saved one off.
func TestFlagsThatAreOff(t *testing.T) {
	home(t)
	cert, _ := certificate(t)
	plain := serve(t, erpc.PeerConfig{}, nil)
	secure, _ := standsIn(t, "-cert", cert, "-key", strings.Replace(cert, "cert.pem", "key.pem", 1), "-reply", "/x=1", "tls://127.0.0.1:0")
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"call -insecure=false -ca CA -servername example.org TLS /x", exitOK, ""},
		{"call -insecure -ca= TLS /x", exitOK, ""},
		{"call -insecure=false -ca CA TLS /x", exitConnection, "127.0.0.1"}, // another name
		{"call -insecure=false -ca= -servername= -cert= -key= T /math/add []", exitOK, ""},
		{"push -codec= T /chat/say", exitOK, ""},
		{"list -insecure=false -v=false -auth= -timeout=0 -proto PROTO", exitOK, ""},
		{"listen -join= -count 0 -timeout 1ns T", exitConnection, "Dial Failed"},
		{"stream -raw=false -codec json -count 1 T /count/up 3", exitOK, ""},
		{"describe -codec= -template=false T /math/add", exitOK, ""},
		{"bench -n 3 -subscribers 0 -join= -on= -push=false -warmup 0 -rate 0 T /math/add []", exitOK, ""},
		{"bench -n 3 -conns 0 T /math/add []", exitUsage, "-conns, -c and -duration must be positive"},
		// Saved ones.
		{"context set -insecure -ca CA saved TLS", exitUsage, "-insecure verifies nothing"},
		{"context set -insecure saved TLS", exitOK, ""},
		{"call saved /x", exitOK, ""},
		{"call -ca CA saved /x", exitUsage, "-insecure=false"},
		{"call -insecure=false -ca CA saved /x", exitConnection, "127.0.0.1"},
		{"call -insecure=false -ca CA -servername example.org saved /x", exitOK, ""},
		{"context set -insecure=false -ca= -cert= -key= -auth= -codec= saved T", exitOK, ""},
		{"call saved /math/add []", exitOK, ""},
	} {
		line := strings.NewReplacer("TLS ", "tls://"+secure+" ", "T ", plain+" ", "CA ", cert+" ", "PROTO", chatProto).Replace(c.line + " ")
		if code, _, errs := erpcRun(t, "", words(line)...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("erpc %s: exit %d, %q; want %d, %q", line, code, errs, c.code, c.says)
		}
	}
}
