package mux_test

import (
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/mux"
)

var rules = []struct {
	name string
	rule mux.Rule
}{
	{"raw", mux.Raw}, {"json", mux.JSON}, {"protobuf", mux.Protobuf}, {"thrift", mux.Thrift},
	{"tls", mux.TLS}, {"websocket", mux.WebSocket}, {"http", mux.HTTP},
}

const upgrade = "GET /ws HTTP/1.1\r\nHost: x\r\nupgrade:  WebSocket \r\nConnection: Upgrade\r\n\r\n"

// first lists beginnings of connections with the rules that match them.
var first = []struct{ text, rules string }{
	{upgrade, "websocket http"},
	{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"},
	{"GET / HTTP/1.1\r\nUpgrade: h2c\r\nX: websocket\r\n\r\nUpgrade: websocket\r\n\r\n", "http"},
	{"GET / HTTP/1.1\r\nUpgrade: h2c, websocket\r\n\r\n", "websocket http"},
	{"GET / HTTP/1.1\r\nUpgrade: h2c\r\nUpgrade: WebSocket/13\r\n\r\n", "websocket http"},
	{"GET / HTTP/1.1\r\nUpgrade: h2c, xwebsocket, websockets\r\n\r\n", "http"},
	{"GET / HTTP/1.1\r\nUpgrade: webſocket\r\n\r\n", "http"}, // a long s, which folds to s
	{"OPTIONS * HTTP/1.1\r\n\r\n", "http"},
	{"POST http://h/x HTTP/1.1\r\n\r\n", "http"},
	{"PROPPATCH /x HTTP/1.1\r\n\r\n", "http"},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"},
	{"GET  / HTTP/1.1\r\n\r\n", ""},
	{"get / HTTP/1.1\r\n\r\n", ""},
	{" GET / HTTP/1.1\r\n\r\n", ""},
	{"THISMETHODISTOOLONG / HTTP/1.1\r\n\r\n", ""},
	{"SSH-2.0-OpenSSH_9.7\r\n", ""},
	{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "tls"},
	{"\x16\x03\x05\x02\x00\x01\x00\x01\xfc\x03\x03", ""},
	{"\x16\x02\x00\x02\x00\x01", ""},
	{"\x00\x00\x00\x30\x00 \r\n\t{\"seq\":1}", "json"},
	{"\x00\x00\x00\x30\x00[1]", ""},
	{"\x00\x00\x00\x30\x02gm\x1f\x8b", "raw"}, // filtered
	{"\x00\x00\x00\x10\x00\x071234567\x01", "raw"},
	{"\x00\x00\x00\x10\x00\x02-1\x05", "raw"},
	{"\x00\x00\x00\x10\x00\x021-\x05", ""},
	{"\x00\x00\x00\x10\x00\x0811111111\x01", "protobuf"}, // also the tag of a sequence number
	{"\x00\x00\x00\x10\x00\x011\x06", ""},
	{"\x00\x00\x00\x10\x00\x011\x00", ""},
	{"\x00\x00\x00\x10\x00\x00\x01", ""},
	{"\x00\x00\x00\x10\x80\x02\x00\x01", ""},
	{"\x00\x00\x00\x10\x82\x22\x01\x01a", ""},
	{"\x00\x00\x00\x10\x82\x21\x01\x01a", "thrift"},
	{"\x00\x00\x00\x10\x80\x01\x00\x01", "thrift"},
	{"\x80\x01\x00\x01\x00\x00\x00\x03add", ""}, // no frame
	{"\xff\xff\xff\xff\x00\x011\x01", ""},
	{strings.Repeat("\x00", 64), ""},
}

// check asks the rules at every cut of what a connection begins with.
func check(t *testing.T, text, want string) {
	t.Helper()
	for _, r := range rules {
		wanted := mux.No
		for name := range strings.FieldsSeq(want) {
			if name == r.name {
				wanted = mux.Yes
			}
		}
		sure := mux.Maybe
		for n := 1; n <= len(text); n++ {
			v := r.rule([]byte(text[:n]))
			if sure != mux.Maybe && v != sure {
				t.Errorf("%.40q: %s says %v after %d bytes, and had said %v", text, r.name, v, n, sure)
				return
			}
			sure = v
		}
		if sure != wanted {
			t.Errorf("%.40q: %s says %v, want %v", text, r.name, sure, wanted)
		}
	}
}

func TestRules(t *testing.T) {
	for _, c := range first {
		check(t, c.text, c.rules)
	}
}

// TestRulesKnowOurProtocols packs first messages of each kind.
func TestRulesKnowOurProtocols(t *testing.T) {
	thriftcodec.Reg()
	for name, c := range map[string]struct {
		pf   erpc.ProtoFunc
		rule string
		auth bool // it has such messages
	}{
		"raw":           {rawproto.NewRawProtoFunc(), "raw", true},
		"json":          {jsonproto.NewJSONProtoFunc(), "json", true},
		"protobuf":      {pbproto.NewPbProtoFunc(), "protobuf", true},
		"http":          {httproto.NewHTTProtoFunc(), "http", false},
		"thrift binary": {thriftproto.NewBinaryProtoFunc(), "thrift", true},
		"thrift struct": {thriftproto.NewStructProtoFunc(), "thrift", false},
		"stock framed":  {thriftproto.NewStockProtoFunc(thriftproto.StockConfig{}), "thrift", false},
		"stock compact": {thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Protocol: thriftproto.Compact}), "thrift", false},
		"stock header":  {thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Transport: thriftproto.Header, Protocol: thriftproto.Compact}), "thrift", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mtype := range []byte{erpc.TypeCall, erpc.TypePush, erpc.TypeAuthCall} {
				if mtype == erpc.TypeAuthCall && !c.auth {
					continue
				}
				for _, seq := range []int32{1, 35, 36, 1 << 30, -1 << 31} {
					m := erpc.NewMessage(erpc.WithServiceMethod("/a/b"), erpc.WithBodyCodec('t'), erpc.WithBody(&wiretest.Author{Author: "x"}))
					m.SetMtype(mtype)
					m.SetSeq(seq)
					frame, err := c.pf().Pack(nil, m)
					if err != nil {
						t.Fatalf("type %d, sequence number %d: %v", mtype, seq, err)
					}
					check(t, string(frame), c.rule)
				}
			}
		})
	}
}

func FuzzRules(f *testing.F) {
	for _, c := range first {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var sure [7]mux.Verdict
		for i := range sure {
			sure[i] = mux.Maybe
		}
		for n := 1; n <= min(len(text), 512); n++ {
			var yes []string
			for i, r := range rules {
				v := r.rule(text[:n:n])
				if sure[i] != mux.Maybe && v != sure[i] {
					t.Fatalf("%q: %s says %v after %d bytes, and had said %v", text, r.name, v, n, sure[i])
				}
				if sure[i] = v; v == mux.Yes {
					yes = append(yes, r.name)
				}
			}
			if all := strings.Join(yes, " "); len(yes) > 1 && all != "websocket http" {
				t.Fatalf("%q: %s", text[:n], all)
			}
		}
	})
}
