//go:build linux

package attack

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// fromLittle is the most that 64 KiB on the wire may cost, with any door, codec and
// filter.
var fromLittle = cost{memory: 32 << 20, cpu: 3 * time.Second, log: 4 << 10}

const little = 64 << 10

var filters = sync.OnceValue(func() map[string]byte {
	registerFilters()
	return map[string]byte{"gzip": gzipID, "zstd": zstdID, "s2": s2ID}
})

// A swelling body decodes to far more memory than it has bytes.
type swelling struct {
	name   string
	method string
	codec  byte
	body   func(n int) []byte // about n bytes
}

var swellings = []swelling{
	{"XML elements that never end", "/doc", 'x', func(n int) []byte { return fill(n, "", "<b>", "") }},
	{"XML rows", "/doc", 'x', func(n int) []byte { return fill(n, "<d>", "<row/>", "</d>") }},
	{"JSON rows", "/doc", 'j', func(n int) []byte { return fill(n, `{"rows":[`, "{},", "{}]}") }},
	{"JSON into any", "/doc", 'j', func(n int) []byte { return fill(n, `{"any":[`, `{"":0},`, "0]}") }},
	{"JSON into a map", "/map", 'j', func(n int) []byte { return fill(n, `{"a":[`, `{},`, "0]}") }},
	{"protobuf values", "/list", 'p', func(n int) []byte { return fill(n, "", "\x0a\x00", "") }},
	{"form slices", "/doc", 'f', func(n int) []byte { return fill(n, "", "t&", "t") }},
	{"Thrift list", "/thrift", 't', thriftList},
}

// thriftList is a struct whose only field is a list of empty structs.
func thriftList(n int) []byte {
	n = max(n-10, 0)
	head := []byte{15, 0, 1, 12, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	return append(append(head, make([]byte, n)...), 0)
}

func decoding() []attack {
	var all []attack
	for _, b := range swellings {
		all = append(all, attack{
			class: "decoding", name: b.name, door: "raw", most: fromLittle,
			run: func(s *stranger) {
				s.exchange(s.raw(erpc.TypeCall, b.method, b.codec, b.body(little-100)))
			},
		}, attack{
			class: "decoding", name: b.name + ", filtered", door: "raw, filters",
			most: cost{fromLittle.memory, fromLittle.cpu, 16 << 10}, // a line for each of 15 connections
			run: func(s *stranger) {
				for name, id := range filters() {
					for _, size := range sized([]int{4 << 20, 16 << 20}, []int{1 << 20, 4 << 20, 8 << 20, 16 << 20, 60 << 20}) {
						f := s.raw(erpc.TypeCall, b.method, b.codec, b.body(size), erpc.WithXferPipe(id))
						if len(f) > little {
							continue // it does not compress enough
						}
						s.Logf("%s: %d bytes become %d", name, len(f), size)
						s.exchange(f)
					}
				}
			},
		})
		if full {
			all = append(all, attack{
				class: "decoding", name: b.name + ", 60 MiB", door: "raw",
				// As computed in docs/limits.md: the frame, and four times the read limit
				// for the decoded body. Double that for garbage.
				most: cost{memory: (60 + 4*64) << 20 * 2, cpu: 20 * time.Second, log: 4 << 10},
				run: func(s *stranger) {
					s.exchange(s.raw(erpc.TypeCall, b.method, b.codec, b.body(60<<20)))
				},
			})
		}
	}
	return append(all,
		attack{class: "decoding", name: "rows for a slow handler, again and again", door: "raw",
			// Arguments and messages of one connection, as computed in docs/limits.md.
			most: cost{memory: (64 + 64) << 20, cpu: 10 * time.Second, log: 4 << 10}, run: slowRows},
		attack{class: "decoding", name: "a filtered body just below the ratio", door: "raw, filters", most: fromLittle, run: belowRatio},
		attack{class: "decoding", name: "a pipe of filters", door: "raw, filters", most: fromLittle, run: deepPipe},
		attack{class: "decoding", name: "HTTP, gzip and XML", door: "http", most: fromLittle, run: httpBomb},
		attack{class: "decoding", name: "Thrift's own clients, zlib", door: "thrift", most: fromLittle, run: zlibBomb},
		attack{class: "decoding", name: "replies of a hostile server", door: "client", env: hostileServer,
			most: cost{fromLittle.memory, fromLittle.cpu, 48 << 10}, // one or two lines for each of 27 sessions
			run:  waitForClient},
	)
}

// slowRows calls over one connection a handler that keeps its argument, of megabytes
// for each call.
func slowRows(s *stranger) {
	conn := s.dial()
	f := s.raw(erpc.TypeCall, "/slow/doc", 'j', fill(36<<10, `{"rows":[`, "{},", "{}]}"))
	_ = conn.SetWriteDeadline(time.Now().Add(2 * time.Second)) // bounds the attack
	for range sized(200, 1000) {
		if _, err := conn.Write(f); err != nil {
			break // the victim has stopped reading
		}
	}
	s.servesOthers()
}

// belowRatio pads a body with incompressible bytes, so that a filter inflates it to
// just below 128 times its size.
func belowRatio(s *stranger) {
	noise := make([]byte, 40<<10)
	_, _ = rand.Read(noise) // it never fails
	pad := base64.RawStdEncoding.EncodeToString(noise)
	for _, id := range filters() {
		body := fill(120*(40<<10), `{"tags":["`+pad+`"],"any":[`, `{"":0},`, "0]}")
		f := s.raw(erpc.TypeCall, "/doc", 'j', body, erpc.WithXferPipe(id))
		if len(f) <= little {
			s.exchange(f)
		}
	}
}

// deepPipe sends zeros through as many filters as a message may have, and through
// more.
func deepPipe(s *stranger) {
	filters()
	pipe := bytes.Repeat([]byte{s2ID}, 8)
	s.exchange(s.raw(erpc.TypeCall, "/echo", 'p', make([]byte, 16<<20), erpc.WithXferPipe(pipe...)))
	f := s.raw(erpc.TypeCall, "/echo", 'p', make([]byte, 100))
	const length = 4 // bytes of the length, before the number of filters
	f = append(append(append(bytes.Clone(f[:length]), 255), bytes.Repeat([]byte{s2ID}, 255)...), f[length+1:]...)
	binary.BigEndian.PutUint32(f, uint32(len(f)))
	s.exchange(f)
}

// httpBomb posts gzip that inflates to XML.
func httpBomb(s *stranger) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for range sized(5<<20, 20<<20) {
		if _, err := w.Write([]byte("<b>")); err != nil {
			s.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		s.Fatal(err)
	}
	if b.Len() > little {
		b.Truncate(little) // only the end is missing
	}
	s.exchange(fmt.Appendf(nil, "POST /doc HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", b.Len(), b.Bytes()))
}

// empties is a Thrift struct of arguments: a list of n empty structs.
type empties struct{ n int }

func (e empties) Read(context.Context, thrift.TProtocol) error { return nil }

func (e empties) Write(ctx context.Context, p thrift.TProtocol) error {
	if err := p.WriteFieldBegin(ctx, "", thrift.LIST, 1); err != nil {
		return err
	}
	if err := p.WriteListBegin(ctx, thrift.STRUCT, e.n); err != nil {
		return err
	}
	for range e.n {
		if err := p.WriteFieldStop(ctx); err != nil {
			return err
		}
	}
	return p.WriteFieldStop(ctx)
}

// zlibBomb calls with Thrift's own library, through its zlib transform.
func zlibBomb(s *stranger) {
	for _, n := range sized([]int{4 << 20, 16 << 20}, []int{4 << 20, 60 << 20}) {
		cfg := &thrift.TConfiguration{ConnectTimeout: patience, SocketTimeout: patience, MaxMessageSize: 1 << 30, MaxFrameSize: 1 << 30}
		trans := thrift.NewTHeaderTransportConf(thrift.NewTSocketConf(s.child.addr, cfg), cfg)
		if err := trans.AddTransform(thrift.TransformZlib); err != nil {
			s.Fatal(err)
		}
		if err := trans.Open(); err != nil {
			s.Fatal(err)
		}
		p := thrift.NewTHeaderProtocolConf(trans, cfg)
		_, err := thrift.NewTStandardClient(p, p).Call(s.Context(), "thrift", empties{n}, empties{})
		s.Logf("%d structs: %v", n, err)
		s.sent.Add(int64(n) / 1000) // zlib makes a thousandth of zeros
		_ = trans.Close()           // the server may have
	}
}

// hostileServer answers the calls of a client with replies that inflate.
func hostileServer(t *testing.T) []string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() }) // not closed elsewhere
	s := &stranger{T: t}
	var bombs [][]byte
	for _, id := range filters() {
		for _, b := range swellings[:4] {
			bombs = append(bombs, s.raw(erpc.TypeReply, "", b.codec, b.body(16<<20), erpc.WithXferPipe(id)))
		}
	}
	bombs = append(bombs, s.raw(erpc.TypeReply, "", 'j', swellings[2].body(little)))
	go func() {
		for i := 0; ; i++ {
			conn, err := lis.Accept()
			if err != nil {
				return // the test has ended
			}
			one := make([]byte, 1)
			_, _ = conn.Read(one) // the call is arriving, or the client is gone
			_, _ = conn.Write(bombs[i%len(bombs)])
			time.Sleep(20 * time.Millisecond) // for the client to close first
			_ = conn.Close()
		}
	}()
	return []string{targetKey + "=" + lis.Addr().String()}
}

// waitForClient waits until the victim has had every bomb.
func waitForClient(s *stranger) {
	kit.Eventually(s, patience, "the client's calls", func() bool {
		called, _, _ := s.child.numbers(s.T)
		return called > 26
	})
}
