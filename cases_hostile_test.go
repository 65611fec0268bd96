package erpc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/erpc-go/erpc"
	"github.com/erpc-go/erpc/codec"
	"github.com/erpc-go/erpc/proto/jsonproto"
	"github.com/erpc-go/erpc/proto/pbproto"
	"github.com/erpc-go/erpc/proto/thriftproto"
	"github.com/erpc-go/erpc/xfer"
	"github.com/erpc-go/erpc/xfer/gzip"
)

// allocated returns how many bytes f has made, all goroutines together.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// noPanics fails the test if the log tells of a panic, recovered or not.
func (j *caseLog) noPanics(t *testing.T) {
	t.Helper()
	if lines := j.says("panic"); len(lines) > 0 {
		t.Errorf("panics: %q", lines)
	}
}

func TestCase20HeaderClaimsGigabytes(t *testing.T) {
	for _, claim := range []uint32{1<<32 - 1, 1 << 30} {
		for _, sent := range []int{4, 5, 60} {
			t.Run(fmt.Sprintf("%d of %d bytes", sent, claim), func(t *testing.T) {
				overEach(t, func(t *testing.T, on medium) {
					server := on.peer(t, erpc.PeerConfig{})
					addr := servesAt(t, server)
					const conns = 12
					var wires []*wire
					for range conns {
						wires = append(wires, on.connect(t, addr))
					}
					hello := binary.BigEndian.AppendUint32(nil, claim)
					hello = append(hello, make([]byte, 56)...)[:sent]
					made := allocated(func() {
						for _, w := range wires {
							if _, err := w.Write(hello); err != nil {
								t.Errorf("write: %v", err)
							}
						}
						for _, w := range wires {
							w.ends(t, prompt)
						}
					})
					if made > 16<<20 {
						t.Errorf("%d MiB were allocated", made>>20)
					}
					becomes(t, prompt, "end of the sessions", func() bool { return server.CountSession() == 0 })
				})
			})
		}
	}
}

// TestCase20OtherProtocols: the length comes first in these too.
func TestCase20OtherProtocols(t *testing.T) {
	for name, pf := range map[string]erpc.ProtoFunc{
		"json": jsonproto.NewJSONProtoFunc(), "pb": pbproto.NewPbProtoFunc(),
		"thrift": thriftproto.NewBinaryProtoFunc(), "thrift struct": thriftproto.NewStructProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, on medium) {
				server := on.peer(t, erpc.PeerConfig{ProtoFunc: pf, ReadLimit: 64 << 10})
				erpc.HandleCall(server, "/add", addUp)
				erpc.HandleCall(server, "/echo", sameBytes)
				addr := servesAt(t, server)
				for _, sent := range []int{4, 5, 60} {
					w := on.connect(t, addr)
					if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, 1<<30), make([]byte, 56)...)[:sent]); err != nil {
						t.Errorf("write: %v", err)
					}
					w.ends(t, prompt)
				}
				if strings.HasPrefix(name, "thrift") {
					return // its head is too long to be seen at once everywhere
				}
				s := opens(t, on.peer(t, erpc.PeerConfig{ProtoFunc: pf}), addr)
				answers(t, s)
				var st *erpc.Status
				endsWithin(t, bound, "call", func() { st = s.Call("/echo", make([]byte, 64<<10), nil).Status() })
				wantCode(t, "too large a call", st, erpc.CodeTooLarge)
			})
		})
	}
}

func TestCase21BodyAtTheLimit(t *testing.T) {
	for _, limit := range []int{1 << 10, 64 << 10, 64<<10 + 1, 1 << 20} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			overEach(t, func(t *testing.T, on medium) {
				server := on.peer(t, erpc.PeerConfig{ReadLimit: limit})
				erpc.HandleCall(server, "/echo", sameBytes)
				erpc.HandleCall(server, "/add", addUp)
				erpc.HandleCall(server, "/large", func(_ context.Context, n *int) (*[]byte, error) {
					b := make([]byte, *n)
					return &b, nil
				})
				addr := servesAt(t, server)
				client := on.peer(t, erpc.PeerConfig{})
				s := opens(t, client, addr)
				room := limit - len(rawFrame(t, erpc.TypeCall, 1, "/echo", nil))
				body := make([]byte, room)
				var got []byte
				var st *erpc.Status
				endsWithin(t, bound, "call", func() { st = s.Call("/echo", body, &got).Status() })
				if !st.OK() || !bytes.Equal(got, body) {
					t.Errorf("a frame of exactly the limit: %v, %d bytes", st, len(got))
				}
				endsWithin(t, prompt, "call", func() { st = s.Call("/echo", append(body, 1), &got).Status() })
				wantCode(t, "one byte more", st, erpc.CodeTooLarge)
				arrives(t, prompt, "end of the connection", s.CloseNotify())

				s = opens(t, client, addr)
				answers(t, s) // the server goes on
				s.Push("/nobody", make([]byte, limit))
				arrives(t, prompt, "end of the connection after a large push", s.CloseNotify())

				small := opens(t, on.peer(t, erpc.PeerConfig{ReadLimit: limit}), addr)
				room = limit - len(rawFrame(t, erpc.TypeReply, 1, "", nil))
				endsWithin(t, bound, "call", func() { st = small.Call("/large", room, &got).Status() })
				if !st.OK() || len(got) != room {
					t.Errorf("a reply of exactly the limit: %v, %d bytes", st, len(got))
				}
				endsWithin(t, prompt, "call", func() { st = small.Call("/large", room+1, &got).Status() })
				if st.OK() || !strings.Contains(fmt.Sprint(st.Cause()), "above the read limit") {
					t.Errorf("a reply of one byte more: %v", st)
				}
			})
		})
	}
}

// zip is a gzip filter of these tests.
const zip = 'Z'

var registerZip = sync.OnceFunc(func() { gzip.Reg(zip, "cases-gzip", 6) })

func TestCase22GzipBomb(t *testing.T) {
	registerZip()
	overEach(t, func(t *testing.T, on medium) {
		const limit = 128 << 10
		server := on.peer(t, erpc.PeerConfig{ReadLimit: limit})
		erpc.HandleCall(server, "/echo", sameBytes)
		erpc.HandleCall(server, "/add", addUp)
		erpc.HandleCall(server, "/bomb", func(ctx context.Context, _ *int) (*[]byte, error) {
			erpc.CallCtxFrom(ctx).AddXferPipe(zip)
			b := make([]byte, 32*limit)
			return &b, nil
		})
		addr := servesAt(t, server)
		bomb := rawFrame(t, erpc.TypeCall, 1, "/echo", make([]byte, 32*limit), erpc.WithXferPipe(zip))
		if len(bomb) > limit/4 {
			t.Fatalf("the bomb has %d bytes on the wire", len(bomb))
		}
		w := on.connect(t, addr)
		made := allocated(func() {
			if _, err := w.Write(bomb); err != nil {
				t.Fatal(err)
			}
			w.ends(t, prompt)
		})
		if made > 2<<20 {
			t.Errorf("%d MiB were allocated for a limit of 128 KiB", made>>20)
		}
		s := opens(t, on.peer(t, erpc.PeerConfig{ReadLimit: limit}), addr)
		answers(t, s)
		var st *erpc.Status
		endsWithin(t, bound, "call", func() { st = s.Call("/bomb", 1, new([]byte)).Status() })
		if st.OK() {
			t.Error("the reply was inflated above the limit")
		}
	})
}

// boomCodec, boomFilter and boomPlugin panic when they are told to.
type boomCodec struct{}

func (boomCodec) ID() byte                        { return 'B' }
func (boomCodec) Name() string                    { return "cases-boom" }
func (boomCodec) Marshal(any) ([]byte, error)     { return []byte("boom"), nil }
func (boomCodec) Unmarshal(b []byte, v any) error { panic(secret) }

type boomReply struct{}

func (boomReply) ID() byte                    { return 'C' }
func (boomReply) Name() string                { return "cases-boom-reply" }
func (boomReply) Marshal(any) ([]byte, error) { panic(secret) }
func (boomReply) Unmarshal([]byte, any) error { return nil }

type boomFilter struct{ id byte }

func (f boomFilter) ID() byte     { return f.id }
func (f boomFilter) Name() string { return "cases-boom-" + string(f.id) }

func (f boomFilter) OnPack(b []byte) ([]byte, error) {
	if f.id == 'P' {
		panic(secret)
	}
	return b, nil
}

func (f boomFilter) OnUnpack(b []byte) ([]byte, error) {
	if f.id == 'U' {
		panic(secret)
	}
	return b, nil
}

// secret is what the panics of these tests say; it is not for callers.
const secret = "the internals"

var registerBooms = sync.OnceFunc(func() {
	codec.Reg(boomCodec{})
	codec.Reg(boomReply{})
	xfer.Reg(boomFilter{'P'})
	xfer.Reg(boomFilter{'U'})
})

// boomPlugin panics in the hook that the metadata of the call names.
type boomPlugin struct{}

func (boomPlugin) Name() string { return "boom" }

func (boomPlugin) at(m erpc.Message, where string) *erpc.Status {
	if string(m.Meta().Peek("boom")) == where {
		panic(secret)
	}
	return nil
}

func (p boomPlugin) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	return p.at(ctx.Input(), "header")
}
func (p boomPlugin) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return p.at(ctx.Input(), "body") }
func (p boomPlugin) PostReadCallBody(ctx erpc.ReadCtx) *erpc.Status {
	return p.at(ctx.Input(), "decoded")
}
func (p boomPlugin) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	return p.at(ctx.(interface{ Input() erpc.Message }).Input(), "reply")
}

func TestCase26Panics(t *testing.T) {
	registerBooms()
	for _, detail := range []bool{false, true} {
		t.Run(fmt.Sprint("detail ", detail), func(t *testing.T) {
			overEach(t, func(t *testing.T, on medium) {
				var log caseLog
				log.min = slog.LevelWarn
				server := on.peer(t, erpc.PeerConfig{PanicDetail: detail, Logger: slog.New(&log)}, boomPlugin{})
				erpc.HandleCall(server, "/add", addUp)
				erpc.HandleCall(server, "/boom", func(context.Context, *int) (*int, error) { panic(secret) })
				erpc.HandleCall(server, "/exit", func(context.Context, *int) (*int, error) {
					runtime.Goexit()
					return nil, nil
				})
				s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
				reply := func(id byte) erpc.MessageSetting { return erpc.WithAcceptBodyCodec(id) }
				boom := func(where string) erpc.MessageSetting { return erpc.WithSetMeta("boom", where) }
				for _, c := range []struct {
					what, method string
					setting      erpc.MessageSetting
				}{
					{"a handler", "/boom", nil},
					{"a handler that ends its goroutine", "/exit", nil},
					{"a codec that decodes", "/add", erpc.WithBodyCodec('B')},
					{"a codec that encodes", "/add", reply('C')},
					{"a plugin before the body", "/add", boom("header")},
					{"a plugin before decoding", "/add", boom("body")},
					{"a plugin before the handler", "/add", boom("decoded")},
					{"a plugin before the reply", "/add", boom("reply")},
				} {
					var st *erpc.Status
					arg := any(1)
					if c.method == "/add" {
						arg = &Sum{1, 2}
					}
					for range 30 { // from workers, and in the leader's place
						endsWithin(t, bound, c.what, func() { st = s.Call(c.method, arg, nil, c.setting).Status() })
						wantCode(t, c.what, st, erpc.CodeInternalServerError)
					}
					if c.method != "/exit" && strings.Contains(st.String(), secret) != detail {
						t.Errorf("%s: detail is %v and the caller got %v", c.what, detail, st)
					}
					answers(t, s)
				}
				if len(log.says(secret)) == 0 {
					t.Error("the log says nothing of the panics")
				}

				// A filter panics: on the server's side of the reply, which can
				// be told, and on the way in, where it is not known whose
				// message it is; that is the end of the connection.
				var st *erpc.Status
				endsWithin(t, bound, "a filter that packs", func() { st = s.Call("/boom", 1, nil, erpc.WithXferPipe('P')).Status() })
				wantCode(t, "a filter of the caller that panics", st, erpc.CodeInternalServerError)
				answers(t, s)
				endsWithin(t, bound, "a filter that unpacks", func() { st = s.Call("/add", &Sum{}, nil, erpc.WithXferPipe('U')).Status() })
				wantCode(t, "a filter that unpacks", st, erpc.CodeConnClosed)
				arrives(t, prompt, "end of the connection", s.CloseNotify())
				answers(t, opens(t, on.peer(t, erpc.PeerConfig{}), s.RemoteAddr().String()))
			})
		})
	}
}

func TestCase26FilterOfReplyPanics(t *testing.T) {
	registerBooms()
	leavesNothing(t)
	server := tcp.peer(t, erpc.PeerConfig{})
	erpc.HandleCall(server, "/add", addUp)
	erpc.HandleCall(server, "/filtered", func(ctx context.Context, _ *int) (*int, error) {
		erpc.CallCtxFrom(ctx).AddXferPipe('P')
		return nil, nil
	})
	s := opens(t, tcp.peer(t, erpc.PeerConfig{}), servesAt(t, server))
	var st *erpc.Status
	endsWithin(t, bound, "call", func() { st = s.Call("/filtered", 1, nil).Status() })
	wantCode(t, "call", st, erpc.CodeInternalServerError)
	if strings.Contains(st.String(), secret) {
		t.Errorf("the caller got %v", st)
	}
	answers(t, s)
}

func TestCase27TooLongForTheFormat(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		long := strings.Repeat("x", 65_536)
		server := on.peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", addUp)
		erpc.HandleCall(server, "/status", func(context.Context, *int) (*int, error) {
			return nil, erpc.NewStatus(1001, "bad", long).Err()
		})
		erpc.HandleCall(server, "/meta", func(ctx context.Context, _ *int) (*int, error) {
			erpc.CallCtxFrom(ctx).SetMeta("long", long)
			return nil, nil
		})
		s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
		answers(t, s)
		before := s.Stats().BytesOut
		var st *erpc.Status
		for what, setting := range map[string]erpc.MessageSetting{
			"metadata":                              erpc.WithSetMeta("k", long),
			"status":                                erpc.WithStatus(erpc.NewStatus(1, long)),
			"metadata that escaping makes too long": erpc.WithSetMeta("k", strings.Repeat(" ", 30_000)),
		} {
			endsWithin(t, prompt, what, func() { st = s.Call("/add", &Sum{}, nil, setting).Status() })
			wantCode(t, what, st, erpc.CodeWriteFailed)
			if !strings.Contains(fmt.Sprint(st.Cause()), "65535") {
				t.Errorf("%s: the cause does not say what is wrong: %v", what, st)
			}
			wantCode(t, what, s.Push("/add", &Sum{}, setting), erpc.CodeWriteFailed)
		}
		endsWithin(t, prompt, "method", func() { st = s.Call("/"+strings.Repeat("m", 255), &Sum{}, nil).Status() })
		wantCode(t, "method", st, erpc.CodeWriteFailed)
		if after := s.Stats().BytesOut; after != before {
			t.Errorf("%d bytes were written", after-before)
		}
		for _, method := range []string{"/status", "/meta"} {
			endsWithin(t, prompt, method, func() { st = s.Call(method, 1, nil).Status() })
			wantCode(t, "reply with too long a "+method[1:], st, erpc.CodeInternalServerError)
		}
		answers(t, s)
	})
}

// Kept is a value of every kind that a codec may leave pointing into a buffer.
type Kept struct {
	S string   `form:"s"`
	L []string `form:"l"`
}

func kept(i int) *Kept {
	return &Kept{S: fmt.Sprint("string ", i), L: []string{fmt.Sprint("first ", i), fmt.Sprint("second ", i)}}
}

// TestCase28ValuesStay keeps what was decoded from many messages, at both ends,
// and compares it once all have come.
func TestCase28ValuesStay(t *testing.T) {
	const messages = 300
	overEach(t, func(t *testing.T, on medium) {
		for _, id := range []byte{'j', 'f', 'x'} {
			server := on.peer(t, erpc.PeerConfig{})
			var mu sync.Mutex
			var here []*Kept
			erpc.HandleCall(server, "/keep", func(_ context.Context, k *Kept) (*Kept, error) {
				mu.Lock()
				defer mu.Unlock()
				here = append(here, k)
				return kept(len(here) - 1), nil
			})
			s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
			var there []*Kept
			for i := range messages {
				got := new(Kept)
				wantCode(t, "call", s.Call("/keep", kept(i), got, erpc.WithBodyCodec(id)).Status(), erpc.CodeOK)
				there = append(there, got)
			}
			for i := range messages {
				if want := kept(i); !reflect.DeepEqual(here[i], want) || !reflect.DeepEqual(there[i], want) {
					t.Fatalf("codec %c: value %d became %v here and %v there", id, i, here[i], there[i])
				}
			}
		}
		stays(t, on, 's', func(i int) string { return fmt.Sprint("plain ", i) })
		stays(t, on, 'j', func(i int) []byte { return fmt.Append(nil, "bytes ", i) })
	})
}

// stays is the test for one type of body.
func stays[T any](t *testing.T, on medium, id byte, value func(i int) T) {
	t.Helper()
	const messages = 300
	server := on.peer(t, erpc.PeerConfig{})
	var here, there []*T
	var mu sync.Mutex
	erpc.HandleCall(server, "/keep", func(_ context.Context, v *T) (*T, error) {
		mu.Lock()
		defer mu.Unlock()
		here = append(here, v)
		return v, nil
	})
	s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
	for i := range messages {
		v, got := value(i), new(T)
		wantCode(t, "call", s.Call("/keep", &v, got, erpc.WithBodyCodec(id)).Status(), erpc.CodeOK)
		there = append(there, got)
	}
	for i := range messages {
		if want := value(i); !reflect.DeepEqual(*here[i], want) || !reflect.DeepEqual(*there[i], want) {
			t.Fatalf("%T %d became %v here and %v there", want, i, *here[i], *there[i])
		}
	}
}

// TestCase28UnknownBodyStays: what a handler of unknown calls copies by Bind
// stays too; the raw bytes are its own only until it returns.
func TestCase28UnknownBodyStays(t *testing.T) {
	leavesNothing(t)
	server := tcp.peer(t, erpc.PeerConfig{})
	var mu sync.Mutex
	var here []string
	server.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		var s string
		if _, err := ctx.Bind(&s); err != nil {
			return nil, erpc.NewStatus(1, "bind", err)
		}
		mu.Lock()
		defer mu.Unlock()
		here = append(here, s)
		return s, nil
	})
	s := opens(t, tcp.peer(t, erpc.PeerConfig{}), servesAt(t, server))
	for i := range 300 {
		var got string
		want := fmt.Sprint("unknown ", i)
		if st := s.Call("/anything", want, &got).Status(); !st.OK() || got != want {
			t.Fatalf("call: %v, %q", st, got)
		}
	}
	for i, got := range here {
		if want := fmt.Sprint("unknown ", i); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	}
}

// hostile is bytes that are no valid conversation, by what they are.
func hostile(t *testing.T) map[string][]byte {
	t.Helper()
	registerZip()
	all := map[string][]byte{}
	valid := map[string][]byte{
		"call":     rawFrame(t, erpc.TypeCall, 7, "/add", []byte(`{"A":1,"B":2}`), erpc.WithSetMeta("k", "v v"), erpc.WithStatus(erpc.NewStatus(1, "a", "b"))),
		"push":     rawFrame(t, erpc.TypePush, 8, "/add", []byte(`{"A":1,"B":2}`)),
		"reply":    rawFrame(t, erpc.TypeReply, 9, "", []byte(`1`)),
		"filtered": rawFrame(t, erpc.TypeCall, 7, "/add", []byte(`{"A":1,"B":2}`), erpc.WithXferPipe(zip)),
	}
	for name, b := range valid {
		for i := 1; i < len(b); i++ {
			all[fmt.Sprintf("%s cut at %d", name, i)] = b[:i]
			short := bytes.Clone(b[:i]) // a frame of that length that is not all there inside
			if i >= 5 {
				binary.BigEndian.PutUint32(short, uint32(i))
				all[fmt.Sprintf("%s that ends at %d", name, i)] = short
			}
		}
		for i := range b { // the length fields are among these
			for _, v := range []byte{0, 1, 0x7f, 0xff} {
				c := bytes.Clone(b)
				c[i] = v
				all[fmt.Sprintf("%s with byte %d as %#x", name, i, v)] = c
			}
		}
		for mtype := range 256 {
			if name != "call" || mtype == int(erpc.TypeCall) || mtype == int(erpc.TypePush) || mtype == int(erpc.TypeReply) {
				continue
			}
			all[fmt.Sprint("message type ", mtype)] = rawFrame(t, byte(mtype), 7, "/add", []byte("1"))
		}
	}
	all["unknown codec"] = rawFrame(t, erpc.TypeCall, 7, "/add", []byte("1"), erpc.WithBodyCodec(250))
	unknown := rawFrame(t, erpc.TypeCall, 7, "/add", []byte("1"), erpc.WithXferPipe(zip))
	unknown[5] = 251
	all["unknown filter"] = unknown
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		b := make([]byte, 100_000)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		if i%2 == 0 {
			copy(b, []byte{0, 0, 0x10}) // so that it is read as a frame
		}
		all[fmt.Sprint("random bytes ", i)] = b
	}
	all["http"] = []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	all["tls"] = clientHello(t)
	return all
}

// clientHello returns what a TLS client says first.
func clientHello(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		_ = tls.Client(there, &tls.Config{InsecureSkipVerify: true}).Handshake() // it gets no answer
		_ = there.Close()
	}()
	b := make([]byte, 16<<10)
	n, err := here.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestCase23HostileBytes(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		var log caseLog
		log.min = slog.LevelWarn
		server := on.peer(t, erpc.PeerConfig{Logger: slog.New(&log), ReadLimit: 1 << 20})
		erpc.HandleCall(server, "/add", addUp)
		erpc.HandlePush(server, "/add", func(context.Context, *Sum) error { return nil })
		addr := servesAt(t, server)
		s := opens(t, on.peer(t, erpc.PeerConfig{}), addr)
		bad := hostile(t)
		work := make(chan string)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for name := range work {
					offer(t, on, addr, name, bad[name])
				}
			})
		}
		n := 0
		for name := range bad {
			if n++; on.secure && n%4 > 0 && times(0, 1) == 0 {
				continue // handshakes are dear
			}
			work <- name
		}
		close(work)
		endsWithin(t, bound, "end of the hostile connections", wg.Wait)
		answers(t, s)
		becomes(t, bound, "end of their sessions", func() bool { return server.CountSession() == 1 })
		log.noPanics(t)
	})
}

// offer sends bytes and then nothing more; the server must close the connection
// then, at the latest.
func offer(t *testing.T, on medium, addr, name string, b []byte) {
	conn, err := net.DialTimeout(on.network, addr, bound)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if on.secure {
		conn = tls.Client(conn, on.tls())
	}
	_ = conn.SetDeadline(time.Now().Add(bound)) // a broken one tells by itself
	_, err = conn.Write(b)
	if err == nil {
		err = conn.(interface{ CloseWrite() error }).CloseWrite()
	}
	if err != nil {
		return // it was closed before: as good
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

// TestCase23PlainBytesOnTLS: what is no TLS at all is refused in the handshake.
func TestCase23PlainBytesOnTLS(t *testing.T) {
	leavesNothing(t)
	secure := medium{network: "tcp", secure: true}
	var log caseLog
	log.min = slog.LevelWarn
	server := secure.peer(t, erpc.PeerConfig{Logger: slog.New(&log)})
	erpc.HandleCall(server, "/add", addUp)
	addr := servesAt(t, server)
	for name, b := range map[string][]byte{
		"http": []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"raw":  rawFrame(t, erpc.TypeCall, 1, "/add", []byte("1")),
		"zero": make([]byte, 100_000),
	} {
		offer(t, tcp, addr, name, b)
	}
	answers(t, opens(t, secure.peer(t, erpc.PeerConfig{}), addr))
	log.noPanics(t)
}

// TestCase25SilentAndSlowConnections opens connections that say nothing, and
// ones that say a byte now and then.
func TestCase25SilentAndSlowConnections(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		const limit = 300 * time.Millisecond
		cfg := erpc.PeerConfig{IdleTimeout: limit, HandshakeTimeout: limit}
		server := on.peer(t, cfg)
		erpc.HandleCall(server, "/add", addUp)
		addr := servesAt(t, server)
		each := times(100, 500)
		before := descriptors(t)["socket"]
		stop := make(chan struct{})
		var wg sync.WaitGroup
		hello := rawFrame(t, erpc.TypeCall, 1, "/add", []byte(`{"A":1,"B":2}`))
		if on.secure {
			hello = clientHello(t)
		}
		var wires []*wire
		for i := range 2 * each {
			conn, err := net.DialTimeout(on.network, addr, bound)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(bound)) // a broken one tells by itself
			wires = append(wires, &wire{Conn: conn})
			if i%2 == 0 {
				continue
			}
			wg.Go(func() { // a byte each 50 ms; at one each second it would be closed by its second
				for _, c := range hello {
					if _, err := conn.Write([]byte{c}); err != nil {
						return
					}
					select {
					case <-time.After(50 * time.Millisecond):
					case <-stop:
						return
					}
				}
			})
		}
		end := time.Now().Add(3*limit + 5*prompt)
		for _, w := range wires {
			_ = w.SetReadDeadline(end) // a broken one tells by itself
			if _, err := io.Copy(io.Discard, w.Conn); err != nil {
				if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
					t.Fatal("a connection stays open")
				}
			}
			_ = w.Close()
		}
		close(stop)
		endsWithin(t, bound, "end of the writers", wg.Wait)
		becomes(t, bound, "end of the sessions", func() bool { return server.CountSession() == 0 })
		becomes(t, bound, "return of the descriptors", func() bool { return descriptors(t)["socket"] <= before })
		answers(t, opens(t, on.peer(t, erpc.PeerConfig{}), addr))
	})
}

// TestCase25CloseDuringHandshake: the end of a peer does not wait for those who
// take their time to connect.
func TestCase25CloseDuringHandshake(t *testing.T) {
	leavesNothing(t)
	secure := medium{network: "tcp", secure: true}
	for name, on := range map[string]medium{"tls": secure, "hook": tcp} {
		server := on.peer(t, erpc.PeerConfig{HandshakeTimeout: bound}, waitsForMessage{})
		addr := servesAt(t, server)
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		time.Sleep(20 * time.Millisecond) // so that it was accepted, most likely
		endsWithin(t, prompt, "Close", func() { _ = server.Close() })
		(&wire{Conn: conn, r: nil}).closed(t, name)
	}
}

// closed waits for the end of a connection on which nothing was read.
func (w *wire) closed(t *testing.T, name string) {
	t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(prompt)) // a broken one tells by itself
	if _, err := w.Conn.Read(make([]byte, 1)); err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

// waitsForMessage is an accept hook that reads before it accepts.
type waitsForMessage struct{}

func (waitsForMessage) Name() string { return "waits" }

func (waitsForMessage) PostAccept(s erpc.PreSession) *erpc.Status {
	return s.PreReceive(func(erpc.Header) any { return nil }).Status()
}

// TestCase25FailedClientHandshake: a client whose TLS handshake fails leaves no
// descriptor.
func TestCase25FailedClientHandshake(t *testing.T) {
	leavesNothing(t)
	secure := medium{network: "tcp", secure: true}
	client := secure.peer(t, erpc.PeerConfig{DialTimeout: time.Second})
	client.SetTLSConfig(&tls.Config{ServerName: "another.example"}) // which nobody vouches for
	server := secure.peer(t, erpc.PeerConfig{})
	addr := servesAt(t, server)
	before := descriptors(t)["socket"]
	for range 20 {
		if _, st := client.Dial(addr); st.Code() != erpc.CodeDialFailed {
			t.Fatalf("dial: %v", st)
		}
	}
	becomes(t, bound, "return of the descriptors", func() bool { return descriptors(t)["socket"] <= before })
}
