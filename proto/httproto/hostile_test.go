package httproto_test

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

const (
	post = "POST /math/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	good = post + "Content-Length: 3\r\n\r\n[1]"
)

// hostile are requests that two readers could interpret differently, or that are
// above a limit.
var hostile = map[string]string{
	"length and encoding":                  post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"encoding and length":                  post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	"two lengths":                          post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n[1]",
	"the same length twice":                post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n[1]",
	"two lengths in one":                   post + "Content-Length: 3, 3\r\n\r\n[1]",
	"negative length":                      post + "Content-Length: -3\r\n\r\n[1]",
	"length with a sign":                   post + "Content-Length: +3\r\n\r\n[1]",
	"length in hex":                        post + "Content-Length: 0x3\r\n\r\n[1]",
	"length of 4e9 as a float":             post + "Content-Length: 4e9\r\n\r\n",
	"length of 4e9":                        post + "Content-Length: 4000000000\r\n\r\n",
	"length beyond 64 bits":                post + "Content-Length: 99999999999999999999\r\n\r\n",
	"no length":                            post + "Content-Length:\r\n\r\n",
	"length above the limit":               post + fmt.Sprintf("Content-Length: %d\r\n\r\n", hostileLimit+1),
	"encoding xchunked":                    post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"encoding chunked, identity":           post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"encoding gzip, chunked":               post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"two encodings":                        post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"encoding behind a tab":                post + "Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n",
	"encoding in HTTP/1.0":                 "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"space in front of a colon":            post + "Content-Length : 3\r\n\r\n[1]",
	"folded line":                          post + "X-A: 1\r\n Content-Length: 3\r\n\r\n[1]",
	"first field folded":                   "POST / HTTP/1.1\r\n Host: x\r\n\r\n",
	"line without a colon":                 post + "what\r\n\r\n",
	"field without a name":                 post + ": v\r\n\r\n",
	"name that is not a token":             post + "A(b): v\r\n\r\n",
	"bare line feed":                       "POST / HTTP/1.1\nHost: x\n\n",
	"bare line feed in the middle":         post + "X-A: 1\nContent-Length: 3\r\n\r\n[1]",
	"bare carriage return":                 post + "X-A: 1\rContent-Length: 3\r\n\r\n[1]",
	"NUL in a value":                       post + "X-A: a\x00b\r\n\r\n",
	"NUL in a name":                        post + "X\x00A: b\r\n\r\n",
	"DEL in a value":                       post + "X-A: \x7f\r\n\r\n",
	"no host":                              "POST / HTTP/1.1\r\n\r\n",
	"two hosts":                            post + "Host: y\r\n\r\n",
	"bad host":                             "POST / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"two types":                            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Type: text/xml\r\n\r\n",
	"two spaces":                           "POST  / HTTP/1.1\r\nHost: x\r\n\r\n",
	"tab for a space":                      "POST\t/\tHTTP/1.1\r\nHost: x\r\n\r\n",
	"no version":                           "GET /\r\n\r\n",
	"odd version":                          "GET / HTTP/1.1x\r\nHost: x\r\n\r\n",
	"small version":                        "GET / http/1.1\r\nHost: x\r\n\r\n",
	"HTTP/2":                               "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"relative target":                      "GET a/b HTTP/1.1\r\nHost: x\r\n\r\n",
	"bad escape":                           "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"fragment":                             "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
	"star":                                 "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
	"expectation":                          post + "Expect: miracles\r\nContent-Length: 3\r\n\r\n[1]",
	"body encoding":                        post + "Content-Encoding: br\r\nContent-Length: 3\r\n\r\n[1]",
	"invalid gzip":                         post + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n[1]",
	"gzip bomb":                            post + "Content-Encoding: gzip\r\nContent-Length: " + bomb(2*hostileLimit),
	"endless first line":                   "GET /" + strings.Repeat("a", 9<<10),
	"endless line":                         post + "X-A: " + strings.Repeat("a", 9<<10),
	"endless head":                         post + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 70),
	"many fields":                          post + strings.Repeat("X-A: 1\r\n", 200),
	"empty lines":                          strings.Repeat("\r\n", 10),
	"TLS hello":                            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
	"chunk of no size":                     post + "Transfer-Encoding: chunked\r\n\r\n\r\n\r\n",
	"chunk of a negative size":             post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
	"chunk of 0x1":                         post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
	"chunk longer than its size":           post + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
	"chunk that ends in a line feed":       post + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
	"chunk above the limit":                post + "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
	"chunk beyond 64 bits":                 post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("f", 20) + "\r\n",
	"chunk with a long extension":          post + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 300) + "\r\na\r\n",
	"chunks of little but extensions":      post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\na\r\n", 200),
	"endless trailer":                      post + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 10),
	"reply for a request":                  post + "X-Mtype: 2\r\n\r\n",
	"unknown type of message":              post + "X-Mtype: 9\r\n\r\n",
	"type of message that is not a number": post + "X-Mtype: -1\r\n\r\n",
	"too large for an erpc peer":           post + "X-Mtype: 1\r\nX-Seq: 7\r\nContent-Length: 4000000000\r\n\r\n",
}

const hostileLimit = 1 << 20 // bytes of a message

// TestAfterRefusal: after a refusal other requests are served as before.
func TestAfterRefusal(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	bad := dialRaw(t, p.Addr)
	bad.send("GET / HTTP/1.1\n\n")
	if got := bad.response("GET"); got.status != 400 {
		t.Errorf("got %+v", got)
	}
	c := dialRaw(t, p.Addr)
	c.send(good)
	if got := c.response("POST"); got.body != "1" {
		t.Errorf("afterwards a good request gets %+v", got)
	}
}

// bomb is the end of a head, and a body that inflates to n bytes.
func bomb(n int) string {
	z := zip(strings.Repeat("0", n))
	return fmt.Sprintf("%d\r\n\r\n%s", len(z), z)
}

// TestReplyRefused: a client ends the connection on a reply that it can't read,
// and sends nothing.
func TestReplyRefused(t *testing.T) {
	for name, reply := range map[string]string{
		"no status":             "HTTP/1.1 abc OK\r\n\r\n",
		"short status":          "HTTP/1.1 20\r\n\r\n",
		"HTTP/2":                "HTTP/2.0 200 OK\r\n\r\n",
		"two lengths":           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n11",
		"length and encoding":   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"switch of protocols":   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
		"request for a reply":   "HTTP/1.1 200 OK\r\nX-Mtype: 1\r\nX-Seq: 1\r\n\r\n",
		"body without a status": "HTTP/1.1 299 Business Error\r\nX-Mtype: 2\r\nX-Seq: 1\r\nContent-Length: 2\r\n\r\n[]",
		"length above limit":    "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n",
		"endless head":          "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 70),
		"more than was asked":   "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"endless, until closed": "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the client reads on for a while
			lis := listenRaw(t)
			p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc(), ReadLimit: 1 << 20})
			sess := p.MustDial(t, lis.Addr().String())
			c := acceptRaw(t, lis)
			cmd := sess.AsyncCall("/x", nil, nil, nil)
			c.frame()
			go func() { _, _ = io.WriteString(c.conn, reply) }() // the client may close before all of it is sent
			select {
			case <-sess.CloseNotify():
			case <-time.After(wiretest.Limit):
				t.Fatal("the session goes on")
			}
			if name != "more than was asked" && cmd.Status().Code() != erpc.CodeConnClosed {
				t.Errorf("got %v, want a closed connection", cmd.Status())
			}
			c.wantEnd()
		})
	}
}

// TestSlowLoris: clients send heads and bodies a byte at a time, and only whole
// messages keep a session.
func TestSlowLoris(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{IdleTimeout: 200 * time.Millisecond})
	for name, begin := range map[string]string{
		"head": "GET / HTTP/1.1\r\nX-A: ",
		"body": post + "Content-Length: 100000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, p.Addr)
			c.send(begin)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if name == "body" {
					if got := c.response("POST"); got.status != 408 {
						t.Errorf("got %+v, want 408", got)
					}
				}
				c.wantEnd()
			}()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					_, _ = io.WriteString(c.conn, "a") // fails once the server has closed
				}
			}
		})
	}
}

// TestMemory: many clients announce large messages and send little.
func TestMemory(t *testing.T) {
	const clients, most = 100, 30 << 20
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range clients {
		c := dialRaw(t, p.Addr)
		if i%2 == 0 {
			c.send(post + "Content-Length: 60000000\r\nExpect: 100-continue\r\n\r\n")
		} else {
			c.send(post + "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
		}
		if got := c.frame(); string(got) != "HTTP/1.1 100 Continue\r\n\r\n" { // the head was read
			t.Fatalf("got %q", got)
		}
		c.send("3000000\r\n")
	}
	runtime.ReadMemStats(&after)
	if n := after.HeapAlloc - before.HeapAlloc; n > most && n < math.MaxInt64 {
		t.Errorf("%d connections hold %d bytes, want at most %d", clients, n, most)
	}
}
