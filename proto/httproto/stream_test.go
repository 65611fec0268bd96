package httproto_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

func TestPipelining(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	c := dialRaw(t, p.Addr)
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "%sContent-Length: %d\r\n\r\n[%d]", post, len(fmt.Sprint(i))+2, i)
		b.WriteString("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\nGET /no/such HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	c.send(b.String())
	for i := range 50 {
		if got := c.response("POST"); got.body != fmt.Sprint(i) {
			t.Fatalf("answer %d is %+v", i, got)
		}
		if got := c.response("OPTIONS"); got.status != 200 {
			t.Fatalf("answer %d to OPTIONS is %+v", i, got)
		}
		if got := c.response("GET"); got.status != 404 {
			t.Fatalf("answer %d to GET is %+v", i, got)
		}
	}
}

// TestPieces sends requests a byte at a time, including chunked bodies with
// extensions and trailers.
func TestPieces(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	c := dialRaw(t, p.Addr)
	for _, request := range []string{
		good,
		"\r\n" + good, // old clients send an empty line after a body
		post + "Transfer-Encoding: Chunked\r\n\r\n1\r\n[\r\n2;a=\"b\"\r\n1]\r\n00\r\nX-Trailer: 1\r\n\r\n",
		"POST http://x.example/math/add HTTP/1.1\r\nhOST: x\r\nCONTENT-LENGTH:3\r\ncontent-type:application/json\r\n\r\n[1]",
		"POST /math/%61dd HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \t3 \r\n\r\n[1]",
	} {
		for i := range len(request) {
			c.send(request[i : i+1])
		}
		if got := c.response("POST"); got.body != "1" {
			t.Errorf("%q gets %+v", request, got)
		}
	}
}

// TestConnection: the server keeps or closes the connection as requested.
func TestConnection(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	for _, tc := range []struct {
		request    string
		close      bool
		connection string
	}{
		{good, false, ""},
		{post + "Connection: keep-alive\r\nContent-Length: 3\r\n\r\n[1]", false, ""},
		{post + "Connection: x, Close\r\nContent-Length: 3\r\n\r\n[1]", true, "close"},
		{"POST /math/add HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]", true, "close"},
		{"POST /math/add HTTP/1.0\r\nContent-Type: application/json\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\n[1]", false, "keep-alive"},
		{"POST /math/add HTTP/1.1\r\nHost: x\r\nX-Mtype: 1\r\nX-Seq: 3\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 3\r\n\r\n[1]", true, "close"},
	} {
		c := dialRaw(t, p.Addr)
		c.send(tc.request + good) // the second is answered only if the connection is kept
		got := c.response("POST")
		if got.body != "1" || got.header.Get("Connection") != tc.connection && tc.connection != "close" || got.close != (tc.connection == "close") {
			t.Errorf("%q gets %+v", tc.request, got)
		}
		if tc.close {
			c.wantEnd()
		} else if got := c.response("POST"); got.body != "1" {
			t.Errorf("the request behind %q gets %+v", tc.request, got)
		}
	}
}

// TestHalfClosed: a client that has closed its sending side still gets its
// answers.
func TestHalfClosed(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	c := dialRaw(t, p.Addr)
	c.send(good + good)
	if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := c.response("POST"); got.body != "1" {
			t.Errorf("got %+v", got)
		}
	}
	c.wantEnd()
}

// TestExpect: the server asks for a body only if it wants it.
func TestExpect(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{ReadLimit: 1 << 10})
	c := dialRaw(t, p.Addr)
	c.send(post + "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
	if got := string(c.frame()); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", got)
	}
	c.send("[1]")
	if got := c.response("POST"); got.body != "1" {
		t.Errorf("got %+v", got)
	}
	c.send(post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n[1]") // the client does not wait
	if got := string(c.frame()); got != "HTTP/1.1 100 Continue\r\n\r\n" { // as net/http does
		t.Errorf("got %q", got)
	}
	if got := c.response("POST"); got.body != "1" {
		t.Errorf("got %+v", got)
	}
	c.send(post + "Expect: 100-continue\r\nContent-Length: 3000\r\n\r\n")
	if got := c.response("POST"); got.status != 413 {
		t.Errorf("got %+v, want 413", got)
	}
	c.wantEnd()
}

// TestPeers: two erpc peers do over HTTP what they do over any protocol: call
// concurrently, push both ways, call back, cancel.
func TestPeers(t *testing.T) {
	cfg := erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()}
	p := wiretest.Serve(t, cfg)
	c := wiretest.NewClient(t, cfg)
	sess := c.MustDial(t, p.Addr)
	var started [200]*wiretest.Started
	for i := range started {
		started[i] = wiretest.Call{Method: "/math/add", Arg: []int{i, 1}, Want: i + 1}.Start(sess)
		if i%10 == 0 {
			if st := sess.Push("/note/say", "hi", erpc.WithAddMeta("from", "us")); !st.OK() {
				t.Fatal(st)
			}
		}
	}
	for _, s := range started {
		if err := s.End(); err != nil {
			t.Error(err)
		}
	}
	for range 20 {
		p.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hi", Meta: "From=us"})
	}
	for _, call := range []wiretest.Call{
		{Method: "/math/pushback", Arg: []int{1}, Want: 2},
		{Method: "/math/nested", Arg: []int{4, 5}, Want: 109},
		{Method: "/enc/bytes", Arg: bytes.Repeat([]byte{0, 255}, 1<<20), Want: bytes.Repeat([]byte{0, 255}, 1<<20)},
		{Method: "/math/add", Arg: []int{2}, Want: 2, Settings: []erpc.MessageSetting{erpc.WithXferPipe('m', 'g')}},
		{Method: "", Arg: []int{2}, Code: erpc.CodeWriteFailed},
		{Method: "/math/add", Arg: []int{2}, Code: erpc.CodeWriteFailed, Settings: []erpc.MessageSetting{erpc.WithAddMeta("a b", "c")}},
		{Method: "/math/add", Arg: []int{2}, Want: 2},
	} {
		if err := call.Do(sess); err != nil {
			t.Errorf("%s: %v", call.Method, err)
		}
	}
	c.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hello", Meta: "From=srv"})
}
