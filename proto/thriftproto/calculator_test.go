package thriftproto_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/proto/thriftproto/internal/calculator"
)

// Calculator serves calculator.thrift as a controller of erpc.
type Calculator struct{ erpc.CallCtx }

func (*Calculator) Add(args *calculator.CalculatorAddArgs) (*calculator.CalculatorAddResult, *erpc.Status) {
	sum := int64(args.A) + int64(args.B)
	if sum > math.MaxInt32 {
		return &calculator.CalculatorAddResult{Overflow: &calculator.Overflow{Why: "too large", Code: 7}}, nil
	}
	return &calculator.CalculatorAddResult{Success: thrift.Int32Ptr(int32(sum))}, nil
}

// Echo also returns the metadata "trace" of its caller.
func (c *Calculator) Echo(args *calculator.CalculatorEchoArgs) (*calculator.CalculatorEchoResult, *erpc.Status) {
	if trace := c.PeekMeta("trace"); len(trace) > 0 {
		c.SetMeta("traced", string(trace))
	}
	return &calculator.CalculatorEchoResult{Success: args.Item}, nil
}

func (*Calculator) GetItems(args *calculator.CalculatorGetItemsArgs) (*calculator.CalculatorGetItemsResult, *erpc.Status) {
	items := []*calculator.Item{}
	for i := range args.N {
		items = append(items, &calculator.Item{Name: strings.Repeat("x", int(i)), Count: int64(i)})
	}
	return &calculator.CalculatorGetItemsResult{Success: items}, nil
}

func (*Calculator) Ping(*calculator.CalculatorPingArgs) (*calculator.CalculatorPingResult, *erpc.Status) {
	return nil, nil
}

func (*Calculator) Fail(args *calculator.CalculatorFailArgs) (*calculator.CalculatorFailResult, *erpc.Status) {
	return nil, erpc.NewStatus(1001, "bad thing", args.Text)
}

// newPeer returns a peer without routes, to serve or to dial with.
func newPeer(t *testing.T, cfg erpc.PeerConfig) *wiretest.Peer {
	cfg.LocalIP = "127.0.0.1"
	cfg.Logger = slog.New(slog.DiscardHandler)
	p := &wiretest.Peer{Peer: erpc.NewPeer(cfg)}
	t.Cleanup(func() { _ = p.Close() }) // a server is closed already, and its error was checked
	return p
}

// serveCalculator starts a server of ours. The texts of notes arrive at the
// channel.
func serveCalculator(t *testing.T, c thriftproto.StockConfig, mapper erpc.ServiceMethodMapper) (addr string, noted chan string) {
	t.Helper()
	p := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(c), Mapper: mapper})
	p.RouteCall(new(Calculator))
	noted = make(chan string, 16)
	erpc.HandlePush(p.Peer, mapper(mapper("", "Calculator"), "Note"), func(_ context.Context, args *calculator.CalculatorNoteArgs) error {
		noted <- args.Text
		return nil
	})
	p.Listen(t)
	return p.Addr, noted
}

func wantNote(t *testing.T, noted <-chan string, want string) {
	t.Helper()
	select {
	case got := <-noted:
		if got != want {
			t.Errorf("noted %q, want %q", got, want)
		}
	case <-time.After(wiretest.Limit):
		t.Errorf("%q was not noted", want)
	}
}
