package wiretest

import (
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goerpc/erpc"
)

// A Feature is something that v7 can do over some of its protocols only.
type Feature uint

// Features that checks need. Thrift means the methods of the thrift vectors, with
// thrift structs only; AnyBody means other values.
const (
	AnyBody Feature = 1 << iota
	Status          // a REPLY carries its status
	Pushes
	Backslash   // a body may hold backslashes and line ends
	AnyByte     // a body may hold any bytes
	Gzip        // the filter
	MD5         // the filter
	Codecs      // besides JSON
	ThriftCodec // for bodies
	CodecByte   // the codec travels as its id, so that an unknown one can
	MetaExact   // metadata keeps its duplicates and the case of its names
	Concurrent  // calls at the same time
	Thrift
)

// Usual is what v7 can do over raw.
const Usual = AnyBody | Status | Pushes | Backslash | AnyByte | Gzip | MD5 | Codecs | ThriftCodec | CodecByte | MetaExact | Concurrent

// A CheckClient is our client with its session with a server of v7.
type CheckClient struct {
	Peer     *Peer
	Session  erpc.Session
	Server   *V7Server
	Features Feature
}

// A Check is one exchange with the service behind the vectors. v7peer has a check
// of the same name, which sends the same to our server.
type Check struct {
	Name  string
	Needs Feature
	Run   func(*CheckClient) error
}

// Checks returns the checks that need only the features in there.
func Checks(there Feature) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.Needs&^there != 0 })
}

const (
	failStatus = "code=1001&msg=bad%20thing&cause=cause%20%26%20x%3D1%20100%25"
	boomStatus = "code=500&msg=Internal%20Server%20Error&cause=boom%21"
)

var (
	pair     = Pair{First: "v1", Second: "txt"}
	form     = F{A: 1, B: "x<y", L: []string{"p", "q"}}
	author   = Author{"andeya"}
	greeted  = Author{"andeya->OK"}
	longText = strings.Repeat("filtered text. ", 1000)
	allBytes = func() []byte {
		b := make([]byte, 256)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}()
	codec  = erpc.WithBodyCodec
	filter = erpc.WithXferPipe
)

// checks run in this order on one session.
var checks = []Check{
	call("math/add", AnyBody, add(1, 2, 3)),
	call("math/add-meta", AnyBody, add(1, 2, 3).With(erpc.WithAddMeta("author", "andeya"), erpc.WithAddMeta("k", "a b&=é"))),
	{"math/meta", AnyBody, replyMeta},
	call("math/fail", AnyBody|Status, Call{Method: "/math/fail", Arg: []int{1}, Status: failStatus}),
	call("math/fail_no_cause", AnyBody|Status, Call{Method: "/math/fail_no_cause", Arg: []int{1}, Status: "code=1002&msg=no%20cause"}),
	call("math/boom", AnyBody|Status, Call{Method: "/math/boom", Arg: []int{1}, Status: boomStatus}),
	call("math/not_found", AnyBody|Status, Call{Method: "/no/such", Arg: []int{1}, Code: erpc.CodeNotFound}),
	call("math/no_method", AnyBody|Status|CodecByte, Call{Method: "", Arg: []int{1}, Code: erpc.CodeBadMessage}),
	call("math/bad_body", AnyBody|Status, Call{Method: "/math/add", Arg: []byte("[1,"), Code: erpc.CodeBadMessage}),
	call("math/unknown_codec", AnyBody|Status|CodecByte, Call{Method: "/math/add", Arg: []byte("[1]"), Code: erpc.CodeBadMessage}.With(codec(90))),
	call("math/gz", AnyBody, Call{Method: "/math/gz", Arg: []int{1}, Want: 3}),
	{"math/real_ip", AnyBody, realIP},
	call("math/real_ip-given", AnyBody|MetaExact, Call{Method: "/math/real_ip", Arg: []int{1}, Want: "1.2.3.4"}.With(erpc.WithRealIP("1.2.3.4"))),
	{"math/concurrent", AnyBody | Concurrent, concurrent},
	call("math/nested", AnyBody, Call{Method: "/math/nested", Arg: []int{4, 5}, Want: 109}),

	call("enc/pb", AnyBody|Codecs|AnyByte, Call{Method: "/enc/pb", Arg: &pair, Want: pair}.With(codec('p'))),
	call("enc/thrift", ThriftCodec, Call{Method: "/enc/thrift", Arg: &author, Want: author}.With(codec('t'))),
	{"enc/form", AnyBody | Codecs, unordered(codec('f'))},
	call("enc/xml", AnyBody|Codecs, Call{Method: "/enc/form", Arg: &form, Want: form}.With(codec('x'))),
	call("enc/json-struct", AnyBody, Call{Method: "/enc/form", Arg: &form, Want: form}),
	{"enc/accept-codec", AnyBody | Codecs, unordered(codec('j'), erpc.WithAcceptBodyCodec('f'))},
	call("enc/plain", AnyBody|Codecs, Call{Method: "/enc/plain", Arg: "plain text é", Want: "plain text é"}.With(codec('s'))),
	call("enc/plain_i", AnyBody|Codecs, Call{Method: "/enc/plain_i", Arg: -42, Want: -42}.With(codec('s'))),
	call("enc/str", AnyBody, Call{Method: "/enc/str", Arg: "plain é", Want: "plain é"}),
	call("enc/str-escapes", AnyBody|Backslash, Call{Method: "/enc/str", Arg: "a\"b\\c\n", Want: "a\"b\\c\n"}),
	call("enc/bytes", AnyBody|AnyByte, Call{Method: "/enc/bytes", Arg: allBytes, Want: allBytes}),
	{"enc/bytes-large", AnyBody | AnyByte, large},
	call("enc/empty", AnyBody, Call{Method: "/enc/empty", Want: struct{}{}}),
	call("enc/empty-pb", AnyBody|Codecs, Call{Method: "/enc/empty", Want: struct{}{}}.With(codec('p'))),

	call("filter/gzip", AnyBody|Gzip, add(1, 2, 3).With(filter('g'))),
	call("filter/md5", AnyBody|MD5, add(1, 2, 3).With(filter('m'))),
	call("filter/gzip-md5", AnyBody|Gzip|MD5, add(1, 2, 3).With(filter('g', 'm'))),
	call("filter/md5-gzip", AnyBody|Gzip|MD5, add(1, 2, 3).With(filter('m', 'g'))),
	call("filter/gzip-long", AnyBody|Gzip, Call{Method: "/enc/str", Arg: longText, Want: longText}.With(filter('g'))),
	call("filter/gzip-fail", AnyBody|Status|Gzip, Call{Method: "/math/fail", Arg: []int{1}, Status: failStatus}.With(filter('g'))),

	{"note/say", AnyBody | Pushes, push("/note/say", "hi", `{"push":"/note/say","body":"hi","meta":"from=erpc"}`, codec('j'), erpc.WithAddMeta("from", "erpc"))},
	{"note/unknown", AnyBody | Pushes, push("/no/such", "hi", "", codec('j'))},
	{"math/pushback", AnyBody | Pushes, pushback},
	call("math/add-after", AnyBody, add(7)),

	call("home/test", Thrift, home("Home.Test", greeted).With(erpc.WithAddMeta("peer_id", "110"))),
	call("home/test-gzip", Thrift|Gzip, home("Home.Test", greeted).With(filter('g'))),
	call("home/json", Thrift|AnyBody, Call{Method: "Home.Json", Arg: map[string]int{"a": 1}, Want: map[string]int{"a": 1}}),
	call("home/fail", Thrift|Status, Call{Method: "Home.Fail", Arg: &author, Status: "code=1001&msg=bad%20thing&cause=cause"}.With(codec('t'))),
	call("home/enc", Thrift, home("/enc/thrift", author)),
	{"home/push", Thrift | Pushes, push("Note.Say", &Author{"pushed"}, `{"push":"Note.Say","body":"pushed","meta":""}`, codec('t'))},
	call("home/test-after", Thrift, home("Home.Test", greeted)),
}

// call makes a check of a call. The codec is JSON unless the call sets another.
func call(name string, needs Feature, c Call) Check {
	c.Settings = slices.Concat([]erpc.MessageSetting{codec('j')}, c.Settings)
	return Check{name, needs, func(k *CheckClient) error { return c.Do(k.Session) }}
}

func add(numbers ...int) Call { return Call{Method: "/math/add", Arg: numbers, Want: sum(numbers)} }

func home(method string, want Author) Call {
	return Call{Method: method, Arg: &author, Want: want}.With(codec('t'))
}

func replyMeta(k *CheckClient) error {
	c := Call{Method: "/math/meta", Arg: []int{1}, Want: 1, Meta: "server=s%201&k=v1&k=v2", Codec: 'j', Exact: true}.With(codec('j'))
	if k.Features&MetaExact != 0 {
		return c.Do(k.Session)
	}
	c.Exact = false
	s := c.Start(k.Session)
	if err := s.End(); err != nil {
		return err
	}
	found := map[string]string{}
	for k, v := range s.cmd.InputMeta().All {
		found[strings.ToLower(k)] = v // the last one counts
	}
	if found["server"] != "s 1" || found["k"] != "v2" {
		return fmt.Errorf("metadata %v", found)
	}
	return nil
}

// realIP expects the host of this end, if both ends see the same.
func realIP(k *CheckClient) error {
	var got string
	cmd := k.Session.AsyncCall("/math/real_ip", []int{1}, &got, nil, codec('j'))
	if err := (&Started{cmd: cmd}).End(); err != nil {
		return err
	}
	got = strings.TrimPrefix(got, "ws://")                  // so v7 writes an address over WebSocket
	if host, _, err := net.SplitHostPort(got); err == nil { // v7 tells the port too
		got = host
	}
	if want := k.Session.LocalAddr(); want.Network() == "tcp" && want.String() != net.JoinHostPort(got, portOf(want)) {
		return fmt.Errorf("result %q, want the host of %q", got, want)
	}
	return nil
}

func portOf(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	return port
}

// concurrent makes many calls concurrently and checks that each gets its own
// reply.
func concurrent(k *CheckClient) error {
	var started [100]*Started
	for i := range started {
		started[i] = add(i, 1).With(codec('j')).Start(k.Session)
	}
	for i, s := range started {
		if err := s.End(); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	return nil
}

// unordered echoes a form, whose lists v7 reverses when it writes them.
func unordered(settings ...erpc.MessageSetting) func(*CheckClient) error {
	return func(k *CheckClient) error {
		var got F
		cmd := k.Session.AsyncCall("/enc/form", &form, &got, nil, settings...)
		if err := (&Started{cmd: cmd}).End(); err != nil {
			return err
		}
		slices.Sort(got.L)
		if cmd.InputBodyCodec() != 'f' || !reflect.DeepEqual(got, form) {
			return fmt.Errorf("result %+v in codec %q, want %+v in a form", got, cmd.InputBodyCodec(), form)
		}
		return nil
	}
}

func large(k *CheckClient) error {
	size := 1 << 20 // bytes
	if k.Server.network == "kcp" {
		size = 1 << 15 // v7 uses the slow mode of kcp
	}
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	return Call{Method: "/enc/bytes", Arg: sent, Want: sent}.With(codec('j')).Do(k.Session)
}

// push pushes and expects that v7's server prints the line. v7 ignores a push to
// an unknown method; then line is empty.
func push(method string, arg any, line string, settings ...erpc.MessageSetting) func(*CheckClient) error {
	return func(k *CheckClient) error {
		if st := k.Session.Push(method, arg, settings...); !st.OK() {
			return st.Err()
		}
		if line == "" {
			return nil
		}
		return k.Server.AwaitLine(line)
	}
}

func pushback(k *CheckClient) error {
	if err := (Call{Method: "/math/pushback", Arg: []int{1}, Want: 2}).With(codec('j')).Do(k.Session); err != nil {
		return err
	}
	select {
	case got := <-k.Peer.pushes:
		if want := (Pushed{"/note/say", "hello", "from=srv"}); got != want {
			return fmt.Errorf("pushed: %+v, want %+v", got, want)
		}
		return nil
	case <-time.After(Limit):
		return fmt.Errorf("no push within %s", Limit)
	}
}
