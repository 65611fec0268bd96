package wiretest

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// TestGolden checks that the whole capture is reachable by protocol, with each
// message in exactly one exchange.
func TestGolden(t *testing.T) {
	want := map[string]struct{ messages, exchanges int }{
		"raw": {84, 49}, "jsonproto": {15, 8}, "pbproto": {15, 7}, "http": {18, 9},
		"websocket": {23, 12}, "thrift-binary": {13, 7}, "thrift-struct": {5, 3},
	}
	seen := map[int]bool{}
	for proto, n := range want {
		vectors := Golden(t, proto)
		exchanges := Exchanges(vectors)
		if len(vectors) != n.messages || len(exchanges) != n.exchanges {
			t.Errorf("%s: %d messages in %d exchanges, want %d in %d", proto, len(vectors), len(exchanges), n.messages, n.exchanges)
		}
		for _, e := range exchanges {
			for _, v := range e.Messages {
				if seen[v.Index] || v.Proto != proto || !strings.HasPrefix(v.Name, e.Name) {
					t.Errorf("message %d, %s of %s, stands in exchange %s of %s", v.Index, v.Name, v.Proto, e.Name, proto)
				}
				seen[v.Index] = true
			}
		}
	}
	if len(seen) != 173 {
		t.Errorf("%d messages, want all 173", len(seen))
	}
}

// TestCallsCanFail: the server's answers differ from the expected ones.
func TestCallsCanFail(t *testing.T) {
	p := Serve(t, erpc.PeerConfig{})
	sess := NewClient(t, erpc.PeerConfig{}).MustDial(t, p.Addr)
	meta := Call{Method: "/math/meta", Arg: []int{1}, Want: 1, Meta: "server=s%201&k=v1&k=v2", Codec: 'j', Exact: true}
	fail := Call{Method: "/math/fail", Arg: []int{1}}
	for _, tt := range []struct {
		name string
		call Call
		edit func(*Call)
		want string // part of the error; "" for none
	}{
		{"as it is", meta, func(*Call) {}, ""},
		{"result", meta, func(c *Call) { c.Want = 2 }, "result"},
		{"status", meta, func(c *Call) { c.Status = "code=1" }, "status"},
		{"code", meta, func(c *Call) { c.Code = 1 }, "code 1"},
		{"metadata", meta, func(c *Call) { c.Meta = "server=s%201" }, "metadata"},
		{"codec", meta, func(c *Call) { c.Codec = 'p' }, "codec"},
		{"failure", fail, func(c *Call) { c.Status = failStatus }, ""},
		{"failure by its code", fail, func(c *Call) { c.Code = 1001 }, ""},
		{"failure for success", fail, func(*Call) {}, "status"},
		{"cause", fail, func(c *Call) { c.Status = "code=1001&msg=bad%20thing" }, "status"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.edit(&tt.call)
			err := tt.call.Do(sess)
			if got := fmt.Sprint(err); (err != nil) != (tt.want != "") || !strings.Contains(got, tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A recorder is a test that goes on after a failure.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Errorf(format string, args ...any) { r.failure = fmt.Sprintf(format, args...) }

func TestScriptsCanFail(t *testing.T) {
	for _, tt := range []struct {
		name string
		sent string
		do   func(*Script)
		want string // part of the failure; "" for none
	}{
		{"the bytes", "abc", func(s *Script) { s.Want([]byte("abc")) }, ""},
		{"other bytes", "abd", func(s *Script) { s.Want([]byte("abc")) }, `"abd"`},
		{"the end", "", (*Script).WantEnd, ""},
		{"no end", "x", (*Script).WantEnd, "0x78"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := net.Pipe()
			go func() {
				_, _ = far.Write([]byte(tt.sent)) // may fail if it is not read
				_ = far.Close()
			}()
			r := &recorder{TB: t}
			s := NewScript(r, near)
			tt.do(s)
			s.Close()
			if (r.failure != "") != (tt.want != "") || !strings.Contains(r.failure, tt.want) {
				t.Errorf("failure %q, want %q", r.failure, tt.want)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		_, _ = far.Write([]byte("\x00\x00\x00\x06ab\x00\x00\x00\x02cd")) // fails if it is not read
		_ = far.Close()
	}()
	s := NewScript(t, near)
	if got := s.Frame(false); string(got) != "\x00\x00\x00\x06ab" {
		t.Errorf("frame of a length that counts itself: %q", got)
	}
	if got := s.Frame(true); string(got) != "\x00\x00\x00\x02cd" {
		t.Errorf("frame of a length that does not: %q", got)
	}
	s.WantEnd()
}

// TestAuthor checks that the hand-written struct is the one of the captures.
func TestAuthor(t *testing.T) {
	const wire = "\x0b\x00\x01\x00\x00\x00\x06andeya\x00"
	var c thriftcodec.Codec
	got, err := c.Marshal(&Author{"andeya"})
	if err != nil || string(got) != wire {
		t.Errorf("%q, %v, want %q", got, err, wire)
	}
	var a Author
	more := "\x08\x00\x02\x00\x00\x00\x01" + wire // an unknown field in front
	if err := c.Unmarshal([]byte(more), &a); err != nil || a.Author != "andeya" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestChecksByFeature(t *testing.T) {
	all := Checks(Usual | Thrift)
	if len(all) != len(checks) {
		t.Errorf("%d of %d checks with every feature", len(all), len(checks))
	}
	for _, c := range Checks(Thrift | Pushes | ThriftCodec) { // the features of thrift-struct
		if !strings.HasPrefix(c.Name, "home/") && c.Name != "enc/thrift" {
			t.Errorf("%s with thrift structs alone", c.Name)
		}
	}
	for _, c := range Checks(Usual &^ Pushes) {
		if c.Name == "note/say" || c.Name == "math/pushback" {
			t.Errorf("%s without pushes", c.Name)
		}
	}
}

func TestOutOfReach(t *testing.T) {
	for out, want := range map[string]bool{
		`go: github.com/andeya/erpc/v7@v7.2.2: Get "https://proxy.golang.org/…": dial tcp: lookup proxy.golang.org: no such host`: true,
		"go: github.com/andeya/erpc/v7@v7.2.2: module lookup disabled by GOPROXY=off":                                             true,
		"./call.go:12:2: undefined: erpc":                               false,
		"verifying github.com/andeya/erpc/v7@v7.2.2: checksum mismatch": false,
	} {
		if got := outOfReach(out); got != want {
			t.Errorf("out of reach: %v for %q", got, out)
		}
	}
}
