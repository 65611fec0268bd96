package thriftproto_test

import (
	"context"
	"errors"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/proto/thriftproto/internal/calculator"
)

// A stockWire is a transport and protocol that a stock program uses.
type stockWire struct {
	name      string
	transport thriftproto.Transport
	protocol  thriftproto.Protocol
	zlib      bool
}

var stockWires = []stockWire{
	{"framed binary", thriftproto.Framed, thriftproto.Binary, false},
	{"framed compact", thriftproto.Framed, thriftproto.Compact, false},
	{"header binary", thriftproto.Header, thriftproto.Binary, false},
	{"header compact", thriftproto.Header, thriftproto.Compact, false},
	{"header compact zlib", thriftproto.Header, thriftproto.Compact, true},
}

func (w stockWire) config() *thrift.TConfiguration {
	c := &thrift.TConfiguration{ConnectTimeout: wiretest.Limit, SocketTimeout: wiretest.Limit}
	if w.protocol == thriftproto.Compact {
		c.THeaderProtocolID = thrift.THeaderProtocolIDPtrMust(thrift.THeaderProtocolCompact)
	}
	if w.zlib {
		c.THeaderTransforms = []thrift.THeaderTransformID{thrift.TransformZlib}
	}
	return c
}

// factories returns the factories of Thrift's Go library.
func (w stockWire) factories() (thrift.TTransportFactory, thrift.TProtocolFactory) {
	c := w.config()
	switch {
	case w.transport == thriftproto.Header:
		return thrift.NewTHeaderTransportFactoryConf(nil, c), thrift.NewTHeaderProtocolFactoryConf(c)
	case w.protocol == thriftproto.Compact:
		return thrift.NewTFramedTransportFactoryConf(thrift.NewTTransportFactory(), c), thrift.NewTCompactProtocolFactoryConf(c)
	}
	return thrift.NewTFramedTransportFactoryConf(thrift.NewTTransportFactory(), c), thrift.NewTBinaryProtocolFactoryConf(c)
}

// dial connects a client of Thrift's Go library. service is the service of a
// multiplexed client, or "".
func (w stockWire) dial(t *testing.T, addr, service string) *thrift.TStandardClient {
	t.Helper()
	tf, pf := w.factories()
	trans, err := tf.GetTransport(thrift.NewTSocketConf(addr, w.config()))
	if err == nil {
		err = trans.Open()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = trans.Close() }) // its error does not matter
	in := pf.GetProtocol(trans)
	out := in
	if service != "" {
		out = thrift.NewTMultiplexedProtocol(in, service)
	}
	return thrift.NewTStandardClient(in, out)
}

func item() *calculator.Item {
	return &calculator.Item{
		Name: "näme", Count: math.MinInt64, Prices: []float64{1.5, -0.25, math.MaxFloat64},
		Flags: map[string]bool{"a": true, "b": false}, Sizes: []int16{-1, 300}, Sold: true,
		Blob: []byte{0, 255, '"'}, Small: -8,
		Rest: &calculator.Item{Name: "rest", Prices: make([]float64, 20), Flags: map[string]bool{}, Sizes: []int16{}, Blob: []byte{}},
	}
}

// garbage is a struct of arguments that can't be decoded.
type garbage struct{}

func (garbage) Write(ctx context.Context, p thrift.TProtocol) error {
	return errors.Join(p.WriteStructBegin(ctx, ""), p.WriteFieldBegin(ctx, "", thrift.LIST, 1), p.WriteListBegin(ctx, thrift.I64, 5), p.WriteStructEnd(ctx))
}

func (garbage) Read(context.Context, thrift.TProtocol) error { return nil }

// useCalculator makes every kind of call with generated code.
func useCalculator(t *testing.T, c thrift.TClient, noted <-chan string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Limit)
	defer cancel()
	calc := calculator.NewCalculatorClient(c)
	add := func() {
		t.Helper()
		if sum, err := calc.Add(ctx, 2, 40); err != nil || sum != 42 {
			t.Errorf("add: %d, %v", sum, err)
		}
	}
	add()
	var overflow *calculator.Overflow
	if _, err := calc.Add(ctx, math.MaxInt32, 1); !errors.As(err, &overflow) || overflow.Why != "too large" || overflow.Code != 7 {
		t.Errorf("a declared exception: %v", err)
	}
	got, err := calc.Echo(ctx, item())
	if err == nil {
		slices.Sort(got.Sizes) // a set
	}
	if err != nil || !reflect.DeepEqual(got, item()) {
		t.Errorf("echo: %+v, %v", got, err)
	}
	if items, err := calc.GetItems(ctx, 1000); err != nil || len(items) != 1000 || len(items[999].Name) != 999 {
		t.Errorf("get_items: %d, %v", len(items), err)
	}
	if items, err := calc.GetItems(ctx, 0); err != nil || len(items) != 0 {
		t.Errorf("get_items of none: %v, %v", items, err)
	}
	if err := calc.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	wantException(t, "fail", second(calc.Fail(ctx, "cause é")), thrift.INTERNAL_ERROR, "bad thing: cause é")
	wantException(t, "missing", second(calc.Missing(ctx, 1)), thrift.UNKNOWN_METHOD, "missing")
	if err := calc.Note(ctx, "noted"); err != nil {
		t.Errorf("note: %v", err)
	}
	wantNote(t, noted, "noted")
	add()
}

func second[T any](_ T, err error) error { return err }

func wantException(t *testing.T, what string, err error, kind int32, text string) {
	t.Helper()
	var e thrift.TApplicationException
	if !errors.As(err, &e) || e.TypeId() != kind || !strings.Contains(e.Error(), text) {
		t.Errorf("%s: %v (%T), want a TApplicationException %d with %q", what, err, err, kind, text)
	}
}

var goOneway = []string{"note"}

// TestStockClient: clients of Thrift's Go library call us.
func TestStockClient(t *testing.T) {
	http, noted := serveCalculator(t, thriftproto.StockConfig{Service: "Calculator", Mapper: erpc.HTTPServiceMethodMapper, Oneway: goOneway}, erpc.HTTPServiceMethodMapper)
	rpc, rpcNoted := serveCalculator(t, thriftproto.StockConfig{Concurrent: true, Oneway: goOneway}, erpc.RPCServiceMethodMapper)
	for _, w := range stockWires {
		t.Run(w.name, func(t *testing.T) {
			c := w.dial(t, http, "")
			useCalculator(t, c, noted)
			_, err := c.Call(t.Context(), "add", garbage{}, &calculator.CalculatorAddResult{})
			wantException(t, "bad arguments", err, thrift.PROTOCOL_ERROR, "Bad Message")
			useCalculator(t, c, noted)
		})
		t.Run(w.name+" multiplexed", func(t *testing.T) {
			useCalculator(t, w.dial(t, rpc, "Calculator"), rpcNoted)
			_, err := calculator.NewCalculatorClient(w.dial(t, rpc, "Other")).Add(t.Context(), 1, 2)
			wantException(t, "another service", err, thrift.UNKNOWN_METHOD, "Other:add")
		})
	}
}

// TestStockMetadata: headers of THeader are metadata.
func TestStockMetadata(t *testing.T) {
	addr, _ := serveCalculator(t, thriftproto.StockConfig{Service: "Calculator"}, erpc.RPCServiceMethodMapper)
	ctx := thrift.SetHeader(t.Context(), "trace", "a b&c")
	ctx = thrift.SetWriteHeaderList(ctx, []string{"trace"})
	c := stockWires[2].dial(t, addr, "")
	meta, err := c.Call(ctx, "echo", &calculator.CalculatorEchoArgs{Item: item()}, &calculator.CalculatorEchoResult{})
	if err != nil || meta.Headers["traced"] != "a b&c" {
		t.Errorf("headers %v, %v", meta.Headers, err)
	}
}

// TestStockBetweenPeers: with headers, two peers of erpc exchange whole statuses
// and call each other at the same time.
func TestStockBetweenPeers(t *testing.T) {
	c := thriftproto.StockConfig{Service: "Calculator", Concurrent: true}
	addr, noted := serveCalculator(t, c, erpc.RPCServiceMethodMapper)
	for _, tt := range []struct {
		transport thriftproto.Transport
		want      string
	}{
		{thriftproto.Header, "code=1001&msg=bad%20thing&cause=text"},
		{thriftproto.Framed, "code=500&msg=Internal%20Server%20Error&cause=bad%20thing%3A%20text%20%28code%201001%29"},
	} {
		for _, protocol := range []thriftproto.Protocol{thriftproto.Binary, thriftproto.Compact} {
			c.Transport, c.Protocol = tt.transport, protocol
			sess := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(c)}).MustDial(t, addr)
			useCalculator(t, sessionClient{sess}, noted)
			st := sess.Call("fail", &calculator.CalculatorFailArgs{Text: "text"}, nil).Status()
			if got := string(st.AppendQuery(nil)); got != tt.want {
				t.Errorf("transport %d: status %s, want %s", tt.transport, got, tt.want)
			}
		}
	}
}

// TestStockLimit: a call above the limit fails. It is answered before the
// connection ends if its type and sequence number arrived with its length; the
// server does not wait for them.
func TestStockLimit(t *testing.T) {
	for _, w := range stockWires {
		t.Run(w.name, func(t *testing.T) {
			p := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{}), ReadLimit: 10 << 10})
			p.Listen(t)
			large := item()
			large.Blob = make([]byte, 20<<10)
			if w.zlib { // the limit applies to the inflated message, and the sequence number is not known
				large.Blob = make([]byte, 1<<20)
			}
			for range 50 {
				_, err := calculator.NewCalculatorClient(w.dial(t, p.Addr, "")).Echo(t.Context(), large)
				var told thrift.TApplicationException
				var ended thrift.TTransportException
				switch {
				case err == nil:
					t.Fatalf("%d bytes were taken with a limit of 10 KiB", len(large.Blob))
				case errors.As(err, &told) && !w.zlib:
					wantException(t, "large", err, thrift.PROTOCOL_ERROR, "(code 413)")
					return
				case !errors.As(err, &ended):
					t.Fatalf("the call ended with %v (%T)", err, err)
				case w.zlib:
					return
				}
			}
			t.Error("none of 50 calls got a reason")
		})
	}
}

// TestStockInTurn: pipelined calls are answered in order, although the first takes
// longer.
func TestStockInTurn(t *testing.T) {
	p := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{})})
	release, started := make(chan struct{}), make(chan struct{})
	erpc.HandleCall(p.Peer, "Slow", func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		close(started)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil, nil
	})
	quick := make(chan struct{})
	erpc.HandleCall(p.Peer, "Quick", func(context.Context, *struct{}) (*struct{}, error) {
		close(quick)
		return nil, nil
	})
	p.Listen(t)
	s := wiretest.DialScript(t, "tcp", p.Addr)
	s.Send([]byte("\x00\x00\x00\x11\x80\x01\x00\x01\x00\x00\x00\x04slow\x00\x00\x00\x00\x00" +
		"\x00\x00\x00\x12\x80\x01\x00\x01\x00\x00\x00\x05quick\x00\x00\x00\x00\x00")) // sequence numbers 0, as Python's
	<-started
	select {
	case <-quick:
		t.Error("the second call was handled before the first was answered")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	s.Want([]byte("\x00\x00\x00\x11\x80\x01\x00\x02\x00\x00\x00\x04slow\x00\x00\x00\x00\x00" +
		"\x00\x00\x00\x12\x80\x01\x00\x02\x00\x00\x00\x05quick\x00\x00\x00\x00\x00"))
}

// TestStockRefuses: anything other than Thrift over these transports ends the
// connection.
func TestStockRefuses(t *testing.T) {
	p := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{})})
	p.Listen(t)
	for name, b := range map[string]string{
		"unframed binary":   "\x80\x01\x00\x01\x00\x00\x00\x03add\x00\x00\x00\x01\x00",
		"unframed compact":  "\x82\x21\x01\x03add\x00",
		"lax binary":        "\x00\x00\x00\x0d\x00\x00\x00\x03add\x01\x00\x00\x00\x01\x00",
		"HTTP":              "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"type 7":            "\x00\x00\x00\x10\x80\x01\x00\x07\x00\x00\x00\x03add\x00\x00\x00\x01\x00",
		"name too long":     "\x00\x00\x00\x10\x80\x01\x00\x01\x7f\xff\xff\xffadd\x00\x00\x00\x01\x00",
		"header too long":   "\x00\x00\x00\x0c\x0f\xff\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00",
		"unknown protocol":  "\x00\x00\x00\x0e\x0f\xff\x00\x00\x00\x00\x00\x01\x00\x01\x05\x00\x00\x00",
		"unknown transform": "\x00\x00\x00\x0e\x0f\xff\x00\x00\x00\x00\x00\x01\x00\x01\x00\x01\x09\x00",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.DialTimeout("tcp", p.Addr, wiretest.Limit)
			if err != nil {
				t.Fatal(err)
			}
			s := wiretest.NewScript(t, conn)
			s.Send([]byte(b))
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			s.WantEnd()
		})
	}
}
