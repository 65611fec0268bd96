package main

import (
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/andeya/erpc/v7"
	thrifttest "github.com/andeya/erpc/v7/proto/thriftproto/gen-go/thriftproto_test"
)

// checks run in this order on one session. Each gives its codec, because the
// default one depends on the protocol.
var checks = slices.Concat(mathChecks, encodingChecks, filterChecks, pushChecks, thriftChecks, pluginChecks)

var mathChecks = []check{
	{"math/add", anyBody, value("/math/add", 'j', []int{1, 2, 3}, 6)},
	{"math/add-meta", anyBody, value("/math/add", 'j', []int{1, 2, 3}, 6,
		erpc.WithAddMeta("author", "andeya"), erpc.WithAddMeta("k", "a b&=é"))},
	{"math/meta", anyBody, replyMetadata},
	{"math/fail", anyBody | status, failure("/math/fail", 1001, "bad thing", "cause & x=1 100%")},
	{"math/fail_no_cause", anyBody | status, failure("/math/fail_no_cause", 1002, "no cause", "")},
	// The cause is the panic's text in v7; a server may keep that to itself.
	{"math/boom", anyBody | status, failure("/math/boom", 500, "Internal Server Error", anyCause)},
	{"math/not_found", anyBody | status, failure("/no/such", 404, "Not Found", anyCause)},
	// An http request line cannot be without a path.
	{"math/no_method", anyBody | status | codecByte | direct, failure("", 400, "Bad Message", anyCause)},
	{"math/bad_body", anyBody | status, badBody('j')},
	{"math/unknown_codec", anyBody | status | codecByte, badBody(90)},
	{"math/gz", anyBody, value("/math/gz", 'j', []int{1}, 3)},
	{"math/real_ip", anyBody | direct, realIP},
	{"math/real_ip-given", anyBody | metaExact, value("/math/real_ip", 'j', []int{1}, "1.2.3.4", erpc.WithRealIP("1.2.3.4"))},
	{"math/concurrent", anyBody, concurrent},
	{"math/nested", anyBody | nestedCall, value("/math/nested", 'j', []int{4, 5}, 109)},
}

var (
	pair   = Pair{First: "v1", Second: "txt"}
	form   = F{A: 1, B: "x<y", L: []string{"p", "q"}}
	author = thrifttest.Test{Author: "andeya"}
	all    = func() []byte {
		b := make([]byte, 256)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}()
)

var encodingChecks = []check{
	{"enc/pb", anyBody | codecs | anyByte, echo("/enc/pb", 'p', &pair)},
	{"enc/thrift", thriftCodec, echo("/enc/thrift", 't', &author)},
	// v7 reverses a form's slices each time it writes one.
	{"enc/form", anyBody | codecs, sortedForm(erpc.WithBodyCodec('f'))},
	{"enc/xml", anyBody | codecs, echo("/enc/form", 'x', &form)},
	{"enc/json-struct", anyBody, echo("/enc/form", 'j', &form)},
	{"enc/accept-codec", anyBody | codecs, acceptForm},
	{"enc/plain", anyBody | codecs, value("/enc/plain", 's', "plain text é", "plain text é")},
	{"enc/plain_i", anyBody | codecs, value("/enc/plain_i", 's', -42, -42)},
	{"enc/str", anyBody, value("/enc/str", 'j', "plain é", "plain é")},
	{"enc/str-escapes", anyBody | backslash, value("/enc/str", 'j', "a\"b\\c\n", "a\"b\\c\n")},
	{"enc/bytes", anyBody | anyByte, value("/enc/bytes", 'j', all, all)},
	{"enc/bytes-large", anyBody | anyByte, large},
	{"enc/empty", anyBody, empty('j')},
	{"enc/empty-pb", anyBody | codecs, empty('p')},
}

var longText = strings.Repeat("filtered text. ", 1000)

var filterChecks = []check{
	{"filter/gzip", anyBody | gzipFilter, value("/math/add", 'j', []int{1, 2, 3}, 6, erpc.WithXferPipe('g'))},
	{"filter/md5", anyBody | md5Filter, value("/math/add", 'j', []int{1, 2, 3}, 6, erpc.WithXferPipe('m'))},
	{"filter/gzip-md5", anyBody | gzipFilter | md5Filter, value("/math/add", 'j', []int{1, 2, 3}, 6, erpc.WithXferPipe('g', 'm'))},
	{"filter/md5-gzip", anyBody | gzipFilter | md5Filter, value("/math/add", 'j', []int{1, 2, 3}, 6, erpc.WithXferPipe('m', 'g'))},
	{"filter/gzip-long", anyBody | gzipFilter, value("/enc/str", 'j', longText, longText, erpc.WithXferPipe('g'))},
	{"filter/gzip-fail", anyBody | status | gzipFilter, failure("/math/fail", 1001, "bad thing", "cause & x=1 100%", erpc.WithXferPipe('g'))},
}

var pushChecks = []check{
	{"note/say", anyBody | push, pushText("/note/say", "hi", erpc.WithAddMeta("from", "v7peer"))},
	// v7 answers nothing to a push; the session has to live on.
	{"note/unknown", anyBody | push, pushText("/no/such", "hi")},
	{"math/pushback", anyBody | push | direct, pushback},
	{"math/add-after", anyBody, value("/math/add", 'j', []int{7}, 7)},
}

// expected says how got differs from want, as an error, or nil.
func expected(want, got any) error {
	if reflect.DeepEqual(want, got) {
		return nil
	}
	return fmt.Errorf("want %s", short(want))
}

// short keeps the reports of long bodies readable.
func short(v any) string {
	const limit = 80 // bytes
	s := fmt.Sprintf("%+v", v)
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// shown is a reply as the report has it: the thing itself, unless it is bytes or
// long.
func shown(v any) any {
	switch v := v.(type) {
	case []byte:
		return short(fmt.Sprintf("%x", v))
	case string:
		return short(v)
	}
	return v
}

// value calls a method and wants a reply that is exactly this value.
func value[T any](method string, codec byte, arg any, want T, settings ...erpc.MessageSetting) func(*client) outcome {
	settings = append(slices.Clone(settings), erpc.WithBodyCodec(codec))
	return func(c *client) outcome {
		var got T
		cmd, err := c.call(method, arg, &got, settings...)
		if err != nil {
			return outcome{err: err}
		}
		o := outcome{got: shown(got), status: cmd.Status()}
		o.err = wantOK(cmd.Status())
		if o.err == nil {
			o.err = expected(want, got)
		}
		return o
	}
}

// echo wants back the value that the pointer points to.
func echo[T any](method string, codec byte, arg *T, settings ...erpc.MessageSetting) func(*client) outcome {
	return value(method, codec, arg, *arg, settings...)
}

func wantOK(s *erpc.Status) error {
	if s.OK() {
		return nil
	}
	return fmt.Errorf("status %d %s: want OK", s.Code(), s.Msg())
}

// anyCause stands for a cause that servers may word differently.
const anyCause = "*"

func failure(method string, code int32, msg, cause string, settings ...erpc.MessageSetting) func(*client) outcome {
	settings = append(slices.Clone(settings), erpc.WithBodyCodec('j'))
	return func(c *client) outcome {
		var got int
		cmd, err := c.call(method, []int{1}, &got, settings...)
		if err != nil {
			return outcome{err: err}
		}
		line := newStatusLine(cmd.Status())
		want := statusLine{Code: code, Msg: msg, Cause: cause}
		if cause == anyCause {
			want.Cause = line.Cause
		}
		return outcome{status: cmd.Status(), err: expected(want, *line)}
	}
}

// badBody sends bytes that the codec cannot decode, or an unknown codec.
func badBody(codec byte) func(*client) outcome {
	return func(c *client) outcome {
		var got int
		cmd, err := c.call("/math/add", []byte("[1,"), &got, erpc.WithBodyCodec(codec))
		if err != nil {
			return outcome{err: err}
		}
		return outcome{status: cmd.Status(), err: expected(int32(400), cmd.Status().Code())}
	}
}

func replyMetadata(c *client) outcome {
	var got int
	cmd, err := c.call("/math/meta", []int{1}, &got, erpc.WithBodyCodec('j'))
	if err != nil {
		return outcome{err: err}
	}
	found := map[string][]string{}
	if meta := cmd.InputMeta(); meta != nil { // nil when the session was closed
		meta.VisitAll(func(k, v []byte) {
			// Over http names come back with a capital.
			name := strings.ToLower(string(k))
			found[name] = append(found[name], string(v))
		})
	}
	o := outcome{got: found, status: cmd.Status(), err: wantOK(cmd.Status())}
	wantK := []string{"v1", "v2"}
	if c.features&metaExact == 0 {
		wantK = wantK[1:]
	}
	for name, want := range map[string][]string{"server": {"s 1"}, "k": wantK} {
		if o.err == nil && !slices.Equal(found[name], want) {
			o.err = fmt.Errorf("meta %s: want %q", name, want)
		}
	}
	if o.err == nil {
		o.err = expected(1, got)
	}
	return o
}

// realIP wants the address of this end of the connection, where it has one that
// the server sees alike.
func realIP(c *client) outcome {
	want := ""
	if c.opts.network == "tcp" {
		want, _, _ = net.SplitHostPort(c.sess.LocalAddr().String())
	}
	var got string
	cmd, err := c.call("/math/real_ip", []int{1}, &got, erpc.WithBodyCodec('j'))
	if err != nil {
		return outcome{err: err}
	}
	if host, _, err := net.SplitHostPort(strings.TrimPrefix(got, "ws://")); err == nil { // of v7, whose RealIP has the port
		got = host
	}
	o := outcome{got: got, status: cmd.Status(), err: wantOK(cmd.Status())}
	if o.err == nil && (got == "" || want != "" && got != want) {
		o.err = fmt.Errorf("want the client's address %s", want)
	}
	return o
}

// concurrent has many calls in flight and wants each its own reply.
func concurrent(c *client) outcome {
	const calls = 50
	var results [calls]int
	var cmds [calls]erpc.CallCmd
	for i := range cmds {
		cmds[i] = c.sess.AsyncCall("/math/add", []int{i, 1}, &results[i], make(chan erpc.CallCmd, 1), erpc.WithBodyCodec('j'))
	}
	for i, cmd := range cmds {
		if err := await(cmd); err != nil {
			return outcome{err: fmt.Errorf("call %d: %w", i, err)}
		}
		if err := wantOK(cmd.Status()); err != nil {
			return outcome{status: cmd.Status(), err: fmt.Errorf("call %d: %w", i, err)}
		}
		if results[i] != i+1 {
			return outcome{got: results[i], err: fmt.Errorf("call %d: want %d", i, i+1)}
		}
	}
	return outcome{got: calls}
}

func sortedForm(settings ...erpc.MessageSetting) func(*client) outcome {
	return func(c *client) outcome {
		var got F
		cmd, err := c.call("/enc/form", &form, &got, settings...)
		if err != nil {
			return outcome{err: err}
		}
		o := outcome{got: got, status: cmd.Status(), err: wantOK(cmd.Status())}
		if o.err == nil {
			got.L = slices.Sorted(slices.Values(got.L))
			o.err = expected(form, got)
		}
		return o
	}
}

// acceptForm asks in JSON for a reply as a form.
func acceptForm(c *client) outcome {
	var got F
	cmd, err := c.call("/enc/form", &form, &got, erpc.WithBodyCodec('j'), erpc.WithAcceptBodyCodec('f'))
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{got: got, status: cmd.Status(), err: wantOK(cmd.Status())}
	if o.err == nil && cmd.InputBodyCodec() != 'f' {
		o.err = fmt.Errorf("reply codec is %q: want 'f'", cmd.InputBodyCodec())
	}
	if o.err == nil {
		got.L = slices.Sorted(slices.Values(got.L))
		o.err = expected(form, got)
	}
	return o
}

func large(c *client) outcome {
	size := 1 << 20 // bytes
	if c.opts.network == "kcp" {
		size = 1 << 15 // v7 leaves kcp in its slow default mode: 1 MiB takes 5 s
	}
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	var got []byte
	cmd, err := c.call("/enc/bytes", sent, &got, erpc.WithBodyCodec('j'))
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{got: len(got), status: cmd.Status(), err: wantOK(cmd.Status())}
	if o.err == nil && !slices.Equal(sent, got) {
		o.err = fmt.Errorf("want the %d bytes that were sent", size)
	}
	return o
}

func empty(codec byte) func(*client) outcome {
	return func(c *client) outcome {
		cmd, err := c.call("/enc/empty", nil, nil, erpc.WithBodyCodec(codec))
		if err != nil {
			return outcome{err: err}
		}
		return outcome{status: cmd.Status(), err: wantOK(cmd.Status())}
	}
}

func pushText(method, text string, settings ...erpc.MessageSetting) func(*client) outcome {
	settings = append(slices.Clone(settings), erpc.WithBodyCodec('j'))
	return func(c *client) outcome {
		stat := c.sess.Push(method, text, settings...)
		return outcome{status: stat, err: wantOK(stat)}
	}
}

// pushback wants the result and the push, in whichever order they come.
func pushback(c *client) outcome {
	var got int
	cmd, err := c.call("/math/pushback", []int{1}, &got, erpc.WithBodyCodec('j'))
	if err != nil {
		return outcome{err: err}
	}
	if err := wantOK(cmd.Status()); err != nil {
		return outcome{status: cmd.Status(), err: err}
	}
	timer := time.NewTimer(callLimit)
	defer timer.Stop()
	select {
	case p := <-c.pushes:
		o := outcome{got: p, status: cmd.Status(), err: expected(2, got)}
		if o.err == nil {
			o.err = expected(pushLine{Push: "/note/say", Body: "hello", Meta: "from=srv"}, p)
		}
		return o
	case <-timer.C:
		return outcome{status: cmd.Status(), err: fmt.Errorf("no push within %s", callLimit)}
	}
}
