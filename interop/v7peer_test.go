// Package interop proves the program v7peer: v7 against v7, over each protocol
// and network, before anything of erpc is tested against it.
package interop

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const key = "cipherkey1234567"

var (
	mathChecks   = []string{"math/add", "math/add-meta", "math/meta", "math/gz", "math/concurrent", "math/real_ip", "math/add-after", "math/nested"}
	statusChecks = []string{"math/fail", "math/fail_no_cause", "math/boom", "math/not_found", "math/bad_body"}
	codecChecks  = []string{"enc/form", "enc/xml", "enc/accept-codec", "enc/plain", "enc/plain_i", "enc/str", "enc/empty", "enc/empty-pb"}
	byteChecks   = []string{"enc/pb", "enc/thrift", "enc/bytes", "enc/bytes-large", "enc/str-escapes"}
	gzipChecks   = []string{"filter/gzip", "filter/gzip-long"}
	md5Checks    = []string{"filter/md5", "filter/gzip-md5", "filter/md5-gzip"}
	pushChecks   = []string{"note/say", "note/unknown", "math/pushback"}
	homeChecks   = []string{"home/test", "home/enc", "home/push", "home/test-after"}
	secureChecks = []string{"secure/call", "secure/accept", "secure/refuse", "secure/clear"}
)

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func without(list []string, check string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == check })
}

func TestProtocols(t *testing.T) {
	full := join(mathChecks, statusChecks, codecChecks, byteChecks, gzipChecks, md5Checks, pushChecks)
	tests := []struct {
		flags string
		want  []string
	}{
		{"-proto raw", append(full, "math/no_method", "math/unknown_codec", "math/real_ip-given")},
		{"-proto json", join(mathChecks, statusChecks, codecChecks, gzipChecks, md5Checks, pushChecks)},
		{"-proto pb", full},
		// v7's thrift-binary shares one buffer between reader and writers: calls at
		// the same time break it now and then.
		{"-proto thrift-binary -skip math/concurrent", append(without(join(full, homeChecks), "math/concurrent"), "home/test-gzip", "home/json", "home/fail")},
		{"-proto thrift-struct", homeChecks},
		{"-proto http", append(join(mathChecks, statusChecks, codecChecks, gzipChecks), "enc/pb", "enc/bytes")},
		{"-network unix", full},
		{"-network kcp", full},
		{"-network quic", full},
		{"-network websocket-json", append(join(mathChecks, codecChecks), "note/say")},
		{"-network websocket-pb", join(mathChecks, codecChecks, byteChecks, gzipChecks, md5Checks, pushChecks)},
		{"-tls", full},
		{"-tls -proto http", join(mathChecks, statusChecks)},
		{"-tls -network kcp", full},
		{"-tls -network quic", full},
		{"-tls -network websocket-json", mathChecks},
		{"-network unix -proto pb", full},
		{"-network quic -proto thrift-binary -skip math/concurrent", without(join(full, homeChecks), "math/concurrent")},
	}
	for _, test := range tests {
		t.Run(test.flags, func(t *testing.T) {
			t.Parallel()
			flags := strings.Fields(test.flags)
			s := serve(t, flags...)
			r := call(t, append(flags, "-addr", s.addr, "-nested")...)
			r.passed(t, test.want...)
			if _, ran := r.checks["note/say"]; ran {
				s.wantLine(t, `{"push":"/note/say","body":"hi","meta":"from=v7peer"}`)
			}
			if _, ran := r.checks["home/push"]; ran {
				s.wantLine(t, `{"push":"Note.Say","body":"pushed","meta":""}`)
			}
		})
	}
}

// TestPlugins runs the plugins over each protocol that v7 has them for.
func TestPlugins(t *testing.T) {
	tests := []struct {
		flags string
		want  []string
	}{
		{"-proto raw -auth token -secure " + key, append(secureChecks, "auth", "secure/pb", "secure/fail", "secure/push")},
		{"-proto json -auth token -secure " + key, append(secureChecks, "auth", "secure/fail", "secure/push")},
		{"-proto pb -auth token -secure " + key, append(secureChecks, "auth", "secure/pb", "secure/push")},
		{"-proto thrift-binary -skip math/concurrent -secure " + key, secureChecks},
		{"-proto http -secure " + key, append(secureChecks, "secure/fail")},
		{"-network websocket-json -auth token -secure " + key, append(secureChecks, "auth")},
		{"-network websocket-pb -auth token -secure " + key, append(secureChecks, "auth", "secure/pb")},
	}
	for _, test := range tests {
		t.Run(test.flags, func(t *testing.T) {
			t.Parallel()
			flags := strings.Fields(test.flags)
			s := serve(t, flags...)
			r := call(t, append(flags, "-addr", s.addr)...)
			r.passed(t, test.want...)
			if _, ran := r.checks["secure/push"]; ran {
				s.wantLine(t, `{"push":"/note/say","body":"secret","meta":"X-Secure=true"}`)
			}
		})
	}
}

func TestHeartbeats(t *testing.T) {
	tests := []struct {
		flags, server, client string
		line                  string // what the server reports
	}{
		{"-proto raw", "pong", "call", `{"heartbeat":"CALL","rate":"3"}`},
		{"-proto raw", "pong", "push", `{"heartbeat":"PUSH","rate":"3"}`},
		{"-proto raw", "call", "pong", ""},
		{"-proto json", "push", "pong", ""},
		{"-proto pb", "pong", "call", `{"heartbeat":"CALL","rate":"3"}`},
		{"-proto thrift-binary", "call", "pong", ""},
		{"-network websocket-pb", "pong", "push", `{"heartbeat":"PUSH","rate":"3"}`},
		// hb_ arrives as Hb_, so that v7 over http has no rate.
		{"-proto http", "pong", "call", `{"heartbeat":"CALL","rate":""}`},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %s %s", test.flags, test.server, test.client), func(t *testing.T) {
			t.Parallel()
			flags := strings.Fields(test.flags)
			s := serve(t, append(flags, "-heartbeat", test.server)...)
			r := call(t, append(flags, "-addr", s.addr, "-heartbeat", test.client, "-only", "heartbeat")...)
			r.passed(t, "heartbeat")
			if test.line != "" {
				s.wantLine(t, test.line)
			}
		})
	}
}

func TestProxies(t *testing.T) {
	for _, flags := range []string{"-proto raw", "-proto json", "-proto pb", "-proto thrift-binary -skip math/concurrent", "-proto http", "-network unix", "-network websocket-json"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			flags := strings.Fields(flags)
			backend := serve(t, flags...)
			front := serve(t, append(flags, "-proxy", backend.addr)...)
			call(t, append(flags, "-addr", front.addr, "-proxy", "yes")...).passed(t, "math/add", "math/meta", "enc/str")
		})
	}
}

// TestFailuresAreReported proves that a check can fail.
func TestFailuresAreReported(t *testing.T) {
	t.Run("wrong token", func(t *testing.T) {
		t.Parallel()
		s := serve(t, "-auth", "token")
		r := call(t, "-addr", s.addr, "-auth", "wrong")
		r.failed(t, "dial", 105, "auth fail detail")
	})
	t.Run("no token", func(t *testing.T) {
		t.Parallel()
		s := serve(t, "-auth", "token")
		r := call(t, "-addr", s.addr)
		// v7 finds the connection closed while it writes, or while it waits.
		if c := r.checks["math/add"]; r.exit != 1 || c.OK || c.Status == nil || (c.Status.Code != 102 && c.Status.Code != 104) {
			t.Errorf("exit status %d, math/add %+v: want a closed connection", r.exit, c)
		}
	})
	t.Run("wrong key", func(t *testing.T) {
		t.Parallel()
		s := serve(t, "-secure", key)
		r := call(t, "-addr", s.addr, "-secure", "cipherkey7654321", "-only", "secure/call")
		r.failed(t, "secure/call", 100001, "inconsistent encryption version")
	})
	t.Run("server gone", func(t *testing.T) {
		t.Parallel()
		r := call(t, "-network", "unix", "-addr", t.TempDir()+"/gone:0")
		r.failed(t, "dial", 105, "no such file")
	})
	t.Run("silent server", func(t *testing.T) {
		t.Parallel()
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer lis.Close()
		started := time.Now()
		r := call(t, "-addr", lis.Addr().String(), "-timeout", "1s")
		if c, ran := r.checks["timeout"]; !ran || c.OK || r.exit != 1 {
			t.Errorf("exit status %d, checks %v: want the timeout reported", r.exit, r.checks)
		}
		if took := time.Since(started); took > limit/2 {
			t.Errorf("-timeout 1s ended after %s", took)
		}
	})
}

// failed wants this check to have failed with this status.
func (r report) failed(t *testing.T, name string, code int, cause string) {
	t.Helper()
	c, ran := r.checks[name]
	if !ran || c.OK || c.Status == nil || c.Status.Code != code || !strings.Contains(c.Status.Cause, cause) {
		t.Errorf("check %s: %+v, status %+v; want it to fail with status %d and cause %q", name, c, c.Status, code, cause)
	}
	if r.exit != 1 {
		t.Errorf("exit status %d: want 1", r.exit)
	}
}

// TestSelection: -only and -skip select the tests, but dial always runs.
func TestSelection(t *testing.T) {
	s := serve(t)
	r := call(t, "-addr", s.addr, "-only", "math/add,math/fail,math/gz", "-skip", "math/gz")
	r.passed(t, "dial", "math/add", "math/fail")
	if len(r.checks) != 3 {
		t.Errorf("ran %d checks: want 3", len(r.checks))
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{
		"",
		"-addr a:1 -proto nonsense",
		"-addr a:1 -network nonsense",
		"-addr a:1 -heartbeat nonsense",
		"-addr a:1 -secure short",
		"-addr a:1 -proto http -auth token",
		"-addr a:1 -proto thrift-struct -secure " + key,
		"-addr /tmp/socket -network unix",
		"-addr a:1 surplus",
	} {
		r := call(t, strings.Fields(args)...)
		if r.exit != 2 || !strings.Contains(r.stderr, "v7peer:") {
			t.Errorf("call %s: exit status %d, %q; want 2 and a reason", args, r.exit, r.stderr)
		}
	}
}

// TestVectors replays what v7 clients were captured sending, each exchange on a
// connection of its own, and wants the captured answers. It ties the service of
// v7peer to that of the vectors. testdata/vectors.json has the answered exchanges
// of golden.json over raw, json, pb and http; thrift writes its headers in random
// order, and websocket masks its frames.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Name, Proto, Send, Want string }
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	servers := map[string]*server{}
	for _, v := range vectors {
		if servers[v.Proto] == nil {
			servers[v.Proto] = serve(t, "-proto", v.Proto)
		}
		t.Run(v.Name, func(t *testing.T) {
			send, err := hex.DecodeString(v.Send)
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(v.Want)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.DialTimeout("tcp", servers[v.Proto].addr, limit)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(send); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if n, err := io.ReadFull(conn, got); err != nil {
				t.Fatalf("%v after %q; want %q", err, got[:n], want)
			}
			if string(got) != string(want) {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
	if len(servers) != 4 {
		t.Errorf("vectors of %d protocols, want 4", len(servers))
	}
}
