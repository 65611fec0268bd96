package e2e

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
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/xfer/gzip"
)

// allocated returns how many bytes were allocated by all goroutines while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Case 20 of the catalogue.
func TestHeaderClaimsGigabytes(t *testing.T) {
	for _, claim := range []uint32{1<<32 - 1, 1 << 30} {
		t.Run(fmt.Sprint(claim, " bytes"), func(t *testing.T) {
			kit.OverEach(t, func(t *testing.T, on kit.Medium) {
				server := on.Peer(t, erpc.PeerConfig{})
				addr := kit.Start(t, server)
				const conns = 12
				var wires []*kit.Wire
				for range conns {
					wires = append(wires, on.Connect(t, addr))
				}
				hello := append(binary.BigEndian.AppendUint32(nil, claim), make([]byte, 56)...)
				made := allocated(func() {
					for i, w := range wires {
						if _, err := w.Write(hello[:[]int{4, 5, 60}[i%3]]); err != nil {
							t.Errorf("write: %v", err)
						}
					}
					for _, w := range wires {
						w.AwaitEnd(t, kit.Prompt)
					}
				})
				if made > 16<<20 {
					t.Errorf("%d MiB were allocated", made>>20)
				}
				kit.Eventually(t, kit.Prompt, "end of the sessions", func() bool { return server.CountSession() == 0 })
			})
		})
	}
}

// TestOtherProtocols: frames of these protocols begin with a length too. (Case
// 20.)
func TestOtherProtocols(t *testing.T) {
	for name, pf := range map[string]erpc.ProtoFunc{
		"json": jsonproto.NewJSONProtoFunc(), "pb": pbproto.NewPbProtoFunc(),
		"thrift": thriftproto.NewBinaryProtoFunc(), "thrift struct": thriftproto.NewStructProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			kit.OverEach(t, func(t *testing.T, on kit.Medium) {
				server := on.Peer(t, erpc.PeerConfig{ProtoFunc: pf, ReadLimit: 64 << 10})
				erpc.HandleCall(server, "/add", kit.Add)
				erpc.HandleCall(server, "/echo", kit.Same)
				addr := kit.Start(t, server)
				for _, sent := range []int{4, 5, 60} {
					w := on.Connect(t, addr)
					if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, 1<<30), make([]byte, 56)...)[:sent]); err != nil {
						t.Errorf("write: %v", err)
					}
					w.AwaitEnd(t, kit.Prompt)
				}
				if strings.HasPrefix(name, "thrift") {
					return // its head may not arrive in one piece
				}
				s := kit.Open(t, on.Peer(t, erpc.PeerConfig{ProtoFunc: pf}), addr)
				kit.Answers(t, s)
				var st *erpc.Status
				kit.Within(t, kit.Bound, "call", func() { st = s.Call("/echo", make([]byte, 64<<10), nil).Status() })
				kit.WantCode(t, "too large a call", st, erpc.CodeTooLarge)
			})
		})
	}
}

// Case 21 of the catalogue.
func TestBodyAtTheLimit(t *testing.T) {
	for _, limit := range []int{1 << 10, 64<<10 + 1, 1 << 20} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			kit.OverEach(t, func(t *testing.T, on kit.Medium) {
				server := on.Peer(t, erpc.PeerConfig{ReadLimit: limit})
				erpc.HandleCall(server, "/echo", kit.Same)
				erpc.HandleCall(server, "/add", kit.Add)
				erpc.HandleCall(server, "/large", func(_ context.Context, n *int) (*[]byte, error) {
					b := make([]byte, *n)
					return &b, nil
				})
				addr := kit.Start(t, server)
				client := on.Peer(t, erpc.PeerConfig{})
				s := kit.Open(t, client, addr)
				room := limit - len(kit.Frame(t, erpc.TypeCall, 1, "/echo", nil))
				body := make([]byte, room)
				var got []byte
				var st *erpc.Status
				kit.Within(t, kit.Bound, "call", func() { st = s.Call("/echo", body, &got).Status() })
				if !st.OK() || !bytes.Equal(got, body) {
					t.Errorf("a frame of exactly the limit: %v, %d bytes", st, len(got))
				}
				kit.Within(t, kit.Prompt, "call", func() { st = s.Call("/echo", append(body, 1), &got).Status() })
				kit.WantCode(t, "one byte more", st, erpc.CodeTooLarge)
				kit.AwaitIn(t, kit.Prompt, "end of the connection", s.CloseNotify())

				s = kit.Open(t, client, addr)
				kit.Answers(t, s) // the server goes on
				s.Push("/nobody", make([]byte, limit))
				kit.AwaitIn(t, kit.Prompt, "end of the connection after a large push", s.CloseNotify())

				small := kit.Open(t, on.Peer(t, erpc.PeerConfig{ReadLimit: limit}), addr)
				room = limit - len(kit.Frame(t, erpc.TypeReply, 1, "", nil))
				kit.Within(t, kit.Bound, "call", func() { st = small.Call("/large", room, &got).Status() })
				if !st.OK() || len(got) != room {
					t.Errorf("a reply of exactly the limit: %v, %d bytes", st, len(got))
				}
				kit.Within(t, kit.Prompt, "call", func() { st = small.Call("/large", room+1, &got).Status() })
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

// Case 22 of the catalogue.
func TestGzipBomb(t *testing.T) {
	registerZip()
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		const limit = 128 << 10
		server := on.Peer(t, erpc.PeerConfig{ReadLimit: limit})
		erpc.HandleCall(server, "/echo", kit.Same)
		erpc.HandleCall(server, "/add", kit.Add)
		erpc.HandleCall(server, "/bomb", func(ctx context.Context, _ *int) (*[]byte, error) {
			erpc.CallCtxFrom(ctx).AddXferPipe(zip)
			b := make([]byte, 32*limit)
			return &b, nil
		})
		addr := kit.Start(t, server)
		bomb := kit.Frame(t, erpc.TypeCall, 1, "/echo", make([]byte, 32*limit), erpc.WithXferPipe(zip))
		if len(bomb) > limit/4 {
			t.Fatalf("the bomb has %d bytes on the wire", len(bomb))
		}
		w := on.Connect(t, addr)
		made := allocated(func() {
			if _, err := w.Write(bomb); err != nil {
				t.Fatal(err)
			}
			w.AwaitEnd(t, kit.Prompt)
		})
		if made > 2<<20 {
			t.Errorf("%d MiB were allocated for a limit of 128 KiB", made>>20)
		}
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{ReadLimit: limit}), addr)
		kit.Answers(t, s)
		var st *erpc.Status
		kit.Within(t, kit.Bound, "call", func() { st = s.Call("/bomb", 1, new([]byte)).Status() })
		if st.OK() {
			t.Error("the reply was inflated above the limit")
		}
	})
}

// hostile returns invalid input, by name.
func hostile(t *testing.T) map[string][]byte {
	t.Helper()
	registerZip()
	all := map[string][]byte{}
	valid := map[string][]byte{
		"call":     kit.Frame(t, erpc.TypeCall, 7, "/add", []byte(`{"A":1,"B":2}`), erpc.WithSetMeta("k", "v v"), erpc.WithStatus(erpc.NewStatus(1, "a", "b"))),
		"push":     kit.Frame(t, erpc.TypePush, 8, "/add", []byte(`{"A":1,"B":2}`)),
		"reply":    kit.Frame(t, erpc.TypeReply, 9, "", []byte(`1`)),
		"filtered": kit.Frame(t, erpc.TypeCall, 7, "/add", []byte(`{"A":1,"B":2}`), erpc.WithXferPipe(zip)),
	}
	for name, b := range valid {
		for i := 1; i < len(b); i++ {
			all[fmt.Sprintf("%s cut at %d", name, i)] = b[:i]
			short := bytes.Clone(b[:i]) // a frame of that length whose inner part is cut
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
			all[fmt.Sprint("message type ", mtype)] = kit.Frame(t, byte(mtype), 7, "/add", []byte("1"))
		}
	}
	all["unknown codec"] = kit.Frame(t, erpc.TypeCall, 7, "/add", []byte("1"), erpc.WithBodyCodec(250))
	unknown := kit.Frame(t, erpc.TypeCall, 7, "/add", []byte("1"), erpc.WithXferPipe(zip))
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

// clientHello returns the first bytes of a TLS client.
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

// Case 23 of the catalogue.
func TestHostileBytes(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		var log kit.Log
		log.Min = slog.LevelWarn
		server := on.Peer(t, erpc.PeerConfig{Logger: slog.New(&log), ReadLimit: 1 << 20})
		erpc.HandleCall(server, "/add", kit.Add)
		erpc.HandlePush(server, "/add", func(context.Context, *kit.Sum) error { return nil })
		addr := kit.Start(t, server)
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), addr)
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
			if n++; on.Secure && n%4 > 0 && kit.Times(0, 1) == 0 {
				continue // handshakes are expensive
			}
			work <- name
		}
		close(work)
		kit.Within(t, kit.Bound, "end of the hostile connections", wg.Wait)
		kit.Answers(t, s)
		kit.Eventually(t, kit.Bound, "end of their sessions", func() bool { return server.CountSession() == 1 })
		log.NoPanics(t)
	})
}

// offer sends bytes and closes its sending side; then the server must close the
// connection.
func offer(t *testing.T, on kit.Medium, addr, name string, b []byte) {
	conn, err := net.DialTimeout(on.Network, addr, kit.Bound)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if on.Secure {
		conn = tls.Client(conn, on.TLS())
	}
	_ = conn.SetDeadline(time.Now().Add(kit.Bound)) // a broken one tells by itself
	_, err = conn.Write(b)
	if err == nil {
		err = conn.(interface{ CloseWrite() error }).CloseWrite()
	}
	if err != nil {
		return // it was closed already
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

// TestPlainBytesOnTLS: input that is not TLS is refused in the handshake. (Case 23.)
func TestPlainBytesOnTLS(t *testing.T) {
	kit.NoLeaks(t)
	secure := kit.Medium{Network: "tcp", Secure: true}
	var log kit.Log
	log.Min = slog.LevelWarn
	server := secure.Peer(t, erpc.PeerConfig{Logger: slog.New(&log)})
	erpc.HandleCall(server, "/add", kit.Add)
	addr := kit.Start(t, server)
	for name, b := range map[string][]byte{
		"http": []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"raw":  kit.Frame(t, erpc.TypeCall, 1, "/add", []byte("1")),
		"zero": make([]byte, 100_000),
	} {
		offer(t, kit.TCP, addr, name, b)
	}
	kit.Answers(t, kit.Open(t, secure.Peer(t, erpc.PeerConfig{}), addr))
	log.NoPanics(t)
}
