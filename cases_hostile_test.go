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
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/xfer/gzip"
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
		t.Run(fmt.Sprint(claim, " bytes"), func(t *testing.T) {
			overEach(t, func(t *testing.T, on medium) {
				server := on.peer(t, erpc.PeerConfig{})
				addr := servesAt(t, server)
				const conns = 12
				var wires []*wire
				for range conns {
					wires = append(wires, on.connect(t, addr))
				}
				hello := append(binary.BigEndian.AppendUint32(nil, claim), make([]byte, 56)...)
				made := allocated(func() {
					for i, w := range wires {
						if _, err := w.Write(hello[:[]int{4, 5, 60}[i%3]]); err != nil {
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
	for _, limit := range []int{1 << 10, 64<<10 + 1, 1 << 20} {
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
