package thriftproto_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/proto/thriftproto/internal/calculator"
)

// sessionClient lets generated clients call over a session.
type sessionClient struct{ erpc.Session }

func (c sessionClient) Call(ctx context.Context, method string, args, result thrift.TStruct) (thrift.ResponseMeta, error) {
	if result == nil { // oneway
		return thrift.ResponseMeta{}, c.Push(method, args, erpc.WithContext(ctx)).Err()
	}
	st := c.Session.Call(method, args, result, erpc.WithContext(ctx)).Status()
	switch st.Code() {
	case erpc.CodeNotFound:
		return thrift.ResponseMeta{}, thrift.NewTApplicationException(thrift.UNKNOWN_METHOD, method+": "+st.Cause().Error())
	case erpc.CodeInternalServerError, 1001:
		return thrift.ResponseMeta{}, thrift.NewTApplicationException(thrift.INTERNAL_ERROR, st.Msg()+": "+st.Cause().Error())
	}
	return thrift.ResponseMeta{}, st.Err()
}

// stockHandler is the service as written for Thrift's own servers.
type stockHandler struct{ noted chan string }

func (stockHandler) Add(_ context.Context, a, b int32) (int32, error) {
	if int64(a)+int64(b) > math.MaxInt32 {
		return 0, &calculator.Overflow{Why: "too large", Code: 7}
	}
	return a + b, nil
}

func (stockHandler) Echo(_ context.Context, item *calculator.Item) (*calculator.Item, error) {
	return item, nil
}

func (stockHandler) GetItems(_ context.Context, n int32) ([]*calculator.Item, error) {
	r, _ := (*Calculator)(nil).GetItems(&calculator.CalculatorGetItemsArgs{N: n})
	return r.Success, nil
}

func (stockHandler) Ping(context.Context) error { return nil }

func (stockHandler) Fail(_ context.Context, text string) (string, error) {
	return "", errors.New("bad thing: " + text)
}

func (stockHandler) Missing(context.Context, int32) (int32, error) {
	return 0, errors.New("it is there")
}

func (h stockHandler) Note(_ context.Context, text string) error {
	h.noted <- text
	return nil
}

// serveStock starts a server of Thrift's Go library.
func (w stockWire) serveStock(t *testing.T) (addr string, noted chan string) {
	t.Helper()
	lis, err := thrift.NewTServerSocketTimeout("127.0.0.1:0", wiretest.Limit)
	if err == nil {
		err = lis.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	noted = make(chan string, 16)
	processor := calculator.NewCalculatorProcessor(stockHandler{noted})
	delete(processor.ProcessorMap(), "missing")
	both := thrift.NewTMultiplexedProcessor()
	both.RegisterDefault(processor)
	both.RegisterProcessor("Calculator", processor)
	tf, pf := w.factories()
	server := thrift.NewTSimpleServer4(both, lis, tf, pf)
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(server.Stop(), <-served); err != nil {
			t.Errorf("the stock server: %v", err)
		}
	})
	return lis.Addr().String(), noted
}

// TestStockServer: we call servers of Thrift's Go library.
func TestStockServer(t *testing.T) {
	for _, w := range stockWires {
		if w.zlib {
			continue // we read it and answer in it, but don't call with it
		}
		t.Run(w.name, func(t *testing.T) {
			addr, noted := w.serveStock(t)
			for _, multiplexed := range []bool{false, true} {
				c := thriftproto.StockConfig{Transport: w.transport, Protocol: w.protocol, Service: "Calculator", Multiplexed: multiplexed}
				p := newPeer(t, erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(c)})
				sess := p.MustDial(t, addr)
				useCalculator(t, sessionClient{sess}, noted)
				if st := sess.Close(); st != nil {
					t.Error(st)
				}
			}
		})
	}
}
