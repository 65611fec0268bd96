package e2e

//lint:file-ignore SA1019 the test is about erpc v7's names

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/rawproto"
)

func TestNumbersOfTheWireAndOfPrograms(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int32
	}{
		{"CodeUnknownError", erpc.CodeUnknownError, -1}, {"CodeOK", erpc.CodeOK, 0},
		{"CodeInvalidOp", erpc.CodeInvalidOp, 1}, {"CodeWrongConn", erpc.CodeWrongConn, 100},
		{"CodeConnClosed", erpc.CodeConnClosed, 102}, {"CodeWriteFailed", erpc.CodeWriteFailed, 104},
		{"CodeDialFailed", erpc.CodeDialFailed, 105}, {"CodeBadMessage", erpc.CodeBadMessage, 400},
		{"CodeUnauthorized", erpc.CodeUnauthorized, 401}, {"CodeNotFound", erpc.CodeNotFound, 404},
		{"CodeMtypeNotAllowed", erpc.CodeMtypeNotAllowed, 405}, {"CodeHandleTimeout", erpc.CodeHandleTimeout, 408},
		{"CodeInternalServerError", erpc.CodeInternalServerError, 500}, {"CodeBadGateway", erpc.CodeBadGateway, 502},
		{"TypeUndefined", int32(erpc.TypeUndefined), 0}, {"TypeCall", int32(erpc.TypeCall), 1},
		{"TypeReply", int32(erpc.TypeReply), 2}, {"TypePush", int32(erpc.TypePush), 3},
		{"TypeAuthCall", int32(erpc.TypeAuthCall), 4}, {"TypeAuthReply", int32(erpc.TypeAuthReply), 5},
		{"codec.ID_JSON", int32(codec.ID_JSON), 'j'}, {"codec.ID_PROTOBUF", int32(codec.ID_PROTOBUF), 'p'},
		{"codec.ID_THRIFT", int32(codec.ID_THRIFT), 't'}, {"codec.ID_FORM", int32(codec.ID_FORM), 'f'},
		{"codec.ID_PLAIN", int32(codec.ID_PLAIN), 's'}, {"codec.ID_XML", int32(codec.ID_XML), 'x'},
		{"codec.NilCodecID", int32(codec.NilCodecID), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", c.name, c.got, c.want)
		}
	}
	texts := map[string]string{
		erpc.TypeText(erpc.TypeCall): "CALL", erpc.TypeText(erpc.TypeReply): "REPLY", erpc.TypeText(erpc.TypePush): "PUSH",
		erpc.TypeText(erpc.TypeAuthCall): "AUTH_CALL", erpc.TypeText(erpc.TypeAuthReply): "AUTH_REPLY",
		erpc.CodeText(erpc.CodeNotFound): "Not Found", erpc.CodeText(erpc.CodeOK): "", erpc.CodeText(12345): "Unknown Error",
	}
	for got, want := range texts {
		if got != want {
			t.Errorf("a text is %q, want %q", got, want)
		}
	}
	for _, name := range []string{"json", "protobuf", "thrift", "form", "plain", "xml"} {
		kit.Peer(t, erpc.PeerConfig{DefaultBodyCodec: name}) // panics if there is no such codec
	}
}

// The keys of configuration files are those of v7.
func TestConfigKeys(t *testing.T) {
	keys := map[string]string{
		"Network": "network", "LocalIP": "local_ip", "LocalPort": "local_port", "ListenPort": "listen_port",
		"DialTimeout": "dial_timeout", "RedialTimes": "redial_times", "RedialInterval": "redial_interval",
		"DefaultBodyCodec": "default_body_codec", "DefaultSessionAge": "default_session_age",
		"DefaultContextAge": "default_context_age", "SlowCometDuration": "slow_comet_duration",
		"PrintDetail": "print_detail", "CountTime": "count_time",
	}
	for f := range fieldsOf[erpc.PeerConfig]() {
		yaml, ini, comment := f.Tag.Get("yaml"), f.Tag.Get("ini"), f.Tag.Get("comment")
		if want, old := keys[f.Name]; old && yaml != want {
			t.Errorf("the key of %s is %q, want %q", f.Name, yaml, want)
		}
		delete(keys, f.Name)
		if yaml != ini || yaml == "" {
			t.Errorf("%s has the keys %q and %q", f.Name, yaml, ini)
		}
		if yaml != "-" && comment == "" {
			t.Errorf("%s has no comment for generated files", f.Name)
		}
	}
	if len(keys) > 0 {
		t.Errorf("fields are missing: %v", keys)
	}
}

func fieldsOf[T any]() func(func(reflect.StructField) bool) {
	typ := reflect.TypeFor[T]()
	return func(yield func(reflect.StructField) bool) {
		for i := range typ.NumField() {
			if !yield(typ.Field(i)) {
				return
			}
		}
	}
}

func TestStatusAsProgramsUseIt(t *testing.T) {
	var ok *erpc.Status
	if !ok.OK() || ok.Code() != erpc.CodeOK || ok.Msg() != "" || ok.Cause() != nil || ok.Err() != nil || ok.Copy() != nil {
		t.Errorf("a nil status is not a success: %v", ok)
	}
	st := erpc.NewStatus(1001, "no such user", io.EOF)
	if st.OK() || st.Code() != 1001 || st.Msg() != "no such user" || !errors.Is(st.Cause(), io.EOF) {
		t.Errorf("%v", st)
	}
	again := st.Copy(io.ErrUnexpectedEOF).SetCode(1002).SetMsg("again")
	if again.Code() != 1002 || again.Msg() != "again" || again.Cause() != io.ErrUnexpectedEOF || st.Code() != 1001 {
		t.Errorf("%v copied to %v", st, again)
	}
	b, err := json.Marshal(st)
	if err != nil || string(b) != `{"code":1001,"msg":"no such user","cause":"EOF"}` {
		t.Errorf("%s %v", b, err)
	}
	var back erpc.Status
	if err := json.Unmarshal(b, &back); err != nil || back.String() != st.String() {
		t.Errorf("%v %v", &back, err)
	}
	var se *erpc.StatusError
	wrapped := fmt.Errorf("load: %w", st.Err())
	if !errors.As(wrapped, &se) || se.Status != st || !errors.Is(wrapped, io.EOF) || erpc.StatusFromError(st.Err()) != st {
		t.Errorf("%v does not carry %v", wrapped, st)
	}
	if got := erpc.StatusFromError(wrapped); got.Code() != st.Code() || got.Cause() != st.Cause() || got.Around() != wrapped {
		t.Errorf("%v carries %v", wrapped, got)
	}
	stack := fmt.Sprintf("%+v", erpc.NewStatusWithStack(1, "x"))
	if !strings.Contains(stack, "TestStatusAsProgramsUseIt") {
		t.Errorf("no stack in %s", stack)
	}
	if st := erpc.NewStatusByCodeText(erpc.CodeUnauthorized, "why", true); st.Msg() != "Unauthorized" || st.Cause().Error() != "why" {
		t.Errorf("%v", st)
	}
	for code, want := range map[int32]bool{erpc.CodeDialFailed: true, erpc.CodeConnClosed: true, erpc.CodeNotFound: false, erpc.CodeOK: false} {
		if got := erpc.IsConnError(erpc.NewStatus(code, "")); got != want {
			t.Errorf("IsConnError of %d is %v", code, got)
		}
	}
	if erpc.IsConnError(nil) {
		t.Error("success is not a connection error")
	}
}

func TestSettingsOfMessages(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := "body"
	m := erpc.NewMessage(
		erpc.WithNothing(), erpc.WithServiceMethod("/a/b"), erpc.WithContext(ctx),
		erpc.WithAddMeta("k", "1"), erpc.WithAddMeta("k", "2"), erpc.WithSetMeta("s", "x"), erpc.WithSetMeta("s", "y"),
		erpc.WithAddMeta("gone", "1"), erpc.WithDelMeta("gone"), erpc.WithRealIP("192.0.2.1:7"),
		erpc.WithBodyCodec(codec.ID_PLAIN), erpc.WithAcceptBodyCodec(codec.ID_XML),
		erpc.WithBody(&body), erpc.WithStatus(erpc.NewStatus(7, "seven")),
	)
	if got, want := string(m.Meta().QueryString()), "k=1&k=2&s=y&X-Real-IP=192.0.2.1%3A7&X-Accept-Body-Codec=120"; got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	if m.ServiceMethod() != "/a/b" || m.Context() != ctx || m.BodyCodec() != 's' || m.Body() != any(&body) || m.Status().Code() != 7 || m.StatusOK() {
		t.Errorf("%v", m)
	}
	if b, err := m.MarshalBody(); err != nil || string(b) != "body" {
		t.Errorf("%q %v", b, err)
	}
	read := erpc.NewMessage(erpc.WithBodyCodec('j'), erpc.WithNewBody(func(h erpc.Header) any { return new(int) }))
	if err := read.UnmarshalBody([]byte("42")); err != nil || *read.Body().(*int) != 42 {
		t.Errorf("%v %v", read.Body(), err)
	}
}

func TestListenerAddress(t *testing.T) {
	var la erpc.ListenerAddress
	if la.Addr() != nil || la.String() != "" || la.Host() != "" || la.Port() != "" {
		t.Errorf("an address before there is one: %v", la.Addr())
	}
	bound := make(chan struct{})
	_, addr := kit.Serve(t, erpc.PeerConfig{}, &la, &erpc.PluginImpl{
		PluginName: "bound", OnPostListen: func(net.Addr) error { close(bound); return nil },
	})
	kit.Await(t, "the listener", bound)
	if la.String() != addr || la.Host() != "127.0.0.1" || la.Host()+":"+la.Port() != addr || la.Addr().Network() != "tcp" {
		t.Errorf("%v (host %s, port %s), want %s", la.Addr(), la.Host(), la.Port(), addr)
	}
}

// Empty parts get v7's defaults.
func TestFakeAddr(t *testing.T) {
	for _, c := range []struct{ network, text, wantNetwork, host, port string }{
		{"tcp", "localhost:9090", "tcp", "localhost", "9090"},
		{"tcp6", "192.0.0.10:1234", "tcp6", "192.0.0.10", "1234"},
		{"tcp6", "[::1]:1234", "tcp6", "::1", "1234"},
		{"tcp", ":1234", "tcp", "0.0.0.0", "1234"},
		{"", "", "tcp", "0.0.0.0", "0"},
		{"unix", "/run/a.sock", "unix", "/run/a.sock", ""},
		{"unix", "0.0.0.0:9090", "unix", "0.0.0.0", "9090"},
	} {
		a, err := erpc.NewFakeAddr2(c.network, c.text)
		if err != nil || a.Network() != c.wantNetwork || a.Host() != c.host || a.Port() != c.port {
			t.Errorf("%q: %v, %v", c.text, a, err)
			continue
		}
		want := c.host
		if c.port != "" {
			want = net.JoinHostPort(c.host, c.port)
			if b := erpc.NewFakeAddr(c.network, c.host, c.port); *a != *b {
				t.Errorf("%v of its parts is %v", a, b)
			}
		}
		if a.String() != want {
			t.Errorf("%q is %q, want %q", c.text, a, want)
		}
	}
	if a := erpc.NewFakeAddr("", "", ""); a.Network() != "tcp" || a.String() != "0.0.0.0:0" {
		t.Errorf("an address of nothing is %v", a)
	}
	if a, err := erpc.NewFakeAddr2("tcp", "no port"); err == nil || a != nil {
		t.Errorf("an address without a port was taken: %v", a)
	}
}

func TestMap(t *testing.T) {
	_, addr := kit.Serve(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	m := sess.Swap()
	m.Store("a", 1)
	if v, loaded := m.LoadOrStore("a", 2); v != 1 || !loaded {
		t.Errorf("%v %v", v, loaded)
	}
	if v, loaded := m.LoadOrStore("b", 2); v != 2 || loaded {
		t.Errorf("%v %v", v, loaded)
	}
	sum := 0
	m.Range(func(_, v any) bool {
		m.Delete("b") // a map may be changed while it is walked
		sum += v.(int)
		return true
	})
	if _, ok := m.Load("b"); ok || m.Len() != 1 || sum != 3 {
		t.Errorf("%d entries, sum %d", m.Len(), sum)
	}
	m.Range(func(_, _ any) bool { sum++; return false })
	if sum != 4 {
		t.Errorf("Range went on after false: %d", sum)
	}
}

// The setters of the process affect only peers that are made later.
func TestProcessWideDefaults(t *testing.T) {
	before := kit.Peer(t, erpc.PeerConfig{})
	t.Cleanup(func() {
		erpc.SetReadLimit(0)
		erpc.SetDefaultProtoFunc(nil)
		erpc.SetServiceMethodMapper(nil)
		if err := erpc.SetDefaultBodyCodec(codec.ID_JSON); err != nil {
			t.Error(err)
		}
		erpc.SetGopool(0, 0)
		erpc.SetSocketReadBuffer(0)
		erpc.SetSocketWriteBuffer(0)
		erpc.SetSocketKeepAlivePeriod(0)
		erpc.SetSocketKeepAlive(true)
		erpc.SetSocketNoDelay(true)
	})
	if erpc.GetReadLimit() != 64<<20 {
		t.Errorf("the read limit is %d", erpc.GetReadLimit())
	}
	erpc.SetMessageSizeLimit(1 << 10)
	if erpc.GetReadLimit() != 1<<10 {
		t.Errorf("the read limit is %d", erpc.GetReadLimit())
	}
	erpc.SetReadLimit(1 << 20)
	erpc.SetServiceMethodMapper(erpc.RPCServiceMethodMapper)
	if err := erpc.SetDefaultBodyCodec(codec.ID_FORM); err != nil {
		t.Error(err)
	}
	if err := erpc.SetDefaultBodyCodec(1); err == nil || erpc.DefaultBodyCodec().ID() != codec.ID_FORM {
		t.Errorf("an unknown codec was taken: %v", err)
	}
	erpc.SetGopool(123, time.Second)
	erpc.SetSocketReadBuffer(4096)
	erpc.SetSocketWriteBuffer(8192)
	erpc.SetSocketKeepAlivePeriod(time.Minute)
	erpc.SetSocketKeepAlive(false)
	erpc.SetSocketNoDelay(false)
	made := 0
	erpc.SetDefaultProtoFunc(func() erpc.Proto { made++; return rawproto.New() })
	erpc.DefaultProtoFunc()()
	if made != 1 {
		t.Error("DefaultProtoFunc does not return what was set")
	}

	after := kit.Peer(t, erpc.PeerConfig{}).Config()
	if after.ReadLimit != 1<<20 || after.DefaultBodyCodec != "form" || after.MaxHandlers != 123 || after.SocketReadBuffer != 4096 ||
		after.SocketWriteBuffer != 8192 || after.SocketKeepAlivePeriod != time.Minute || *after.SocketKeepAlive || *after.SocketNoDelay {
		t.Errorf("not taken over: %+v", after)
	}
	own := kit.Peer(t, erpc.PeerConfig{ReadLimit: 5, DefaultBodyCodec: "xml", Mapper: erpc.HTTPServiceMethodMapper, ProtoFunc: rawproto.New})
	if cfg := own.Config(); cfg.ReadLimit != 5 || cfg.DefaultBodyCodec != "xml" {
		t.Errorf("the fields of a peer do not win: %+v", cfg)
	}
	for p, want := range map[erpc.Peer]string{before: "/plain_adder/add", own: "/plain_adder/add", kit.Peer(t, erpc.PeerConfig{}): "PlainAdder.Add"} {
		if got := p.RouteCall(new(PlainAdder)); got[0] != want {
			t.Errorf("the method is %s, want %s", got[0], want)
		}
	}
	if cfg := before.Config(); cfg.ReadLimit != 64<<20 || cfg.DefaultBodyCodec != "json" {
		t.Errorf("an existing peer was changed: %+v", cfg)
	}
}

func TestGo(t *testing.T) {
	ran := make(chan struct{})
	if !erpc.Go(func() { close(ran) }) {
		t.Error("refused")
	}
	kit.Await(t, "the function", ran)
}

// The peer of a context or session is the interface that handlers need. A program
// that needs all methods gets them by a type assertion.
func TestPeerOfASession(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	cli, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	if p, ok := sess.Peer().(erpc.Peer); !ok || p != cli {
		t.Errorf("the session belongs to %v", sess.Peer())
	}
	if sess.Peer().CountSession() != 1 {
		t.Errorf("%d sessions", sess.Peer().CountSession())
	}
	again, ok := sess.Peer().GetSession(sess.ID())
	if !ok || again != sess {
		t.Error("the session is not in its peer")
	}
	_ = srv
}
