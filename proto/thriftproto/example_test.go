package thriftproto_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/proto/thriftproto/internal/calculator"
)

// A client of Thrift's own library, with the code that the thrift compiler
// generated, calls a peer, whose handlers take and return structs of that code.
func ExampleNewStockProtoFunc() {
	server := erpc.NewPeer(erpc.PeerConfig{
		LocalIP:   "127.0.0.1",
		ProtoFunc: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Service: "Calculator"}),
		Logger:    slog.New(slog.DiscardHandler),
	})
	defer server.Close()
	erpc.HandleCall(server, "Calculator.Add", func(_ context.Context, args *calculator.CalculatorAddArgs) (*calculator.CalculatorAddResult, error) {
		return &calculator.CalculatorAddResult{Success: thrift.Int32Ptr(args.A + args.B)}, nil
	})
	lis, err := server.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(lis) // ends with Close

	socket := thrift.NewTSocketConf(lis.Addr().String(), nil)
	transport := thrift.NewTFramedTransportConf(socket, nil)
	if err := transport.Open(); err != nil {
		fmt.Println(err)
		return
	}
	defer transport.Close()
	client := calculator.NewCalculatorClientFactory(transport, thrift.NewTCompactProtocolFactoryConf(nil))
	sum, err := client.Add(context.Background(), 2, 40)
	fmt.Println(sum, err)

	// A peer of ours calls the same way.
	peer := erpc.NewPeer(erpc.PeerConfig{
		ProtoFunc: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Service: "Calculator"}),
		Logger:    slog.New(slog.DiscardHandler),
	})
	defer peer.Close()
	sess, st := peer.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	var result calculator.CalculatorAddResult
	st = sess.Call("add", &calculator.CalculatorAddArgs{A: 3, B: 4}, &result).Status()
	fmt.Println(*result.Success, st.OK())
	// Output:
	// 42 <nil>
	// 7 true
}

// Programs that move from erpc v7's thriftproto set what importing that package
// set for the whole process.
func ExampleNewBinaryProtoFunc() {
	server := erpc.NewPeer(erpc.PeerConfig{
		LocalIP:          "127.0.0.1",
		ProtoFunc:        thriftproto.NewBinaryProtoFunc(),
		DefaultBodyCodec: "thrift",
		Mapper:           erpc.RPCServiceMethodMapper,
		Logger:           slog.New(slog.DiscardHandler),
	})
	defer server.Close()
	fmt.Println(server.RouteCall(new(Calculator)))
	// Output:
	// [Calculator.Add Calculator.Echo Calculator.Fail Calculator.GetItems Calculator.Ping]
}

// A generated client calls over a session through a thrift.TClient like this one.
type overSession struct{ erpc.Session }

func (c overSession) Call(ctx context.Context, method string, args, result thrift.TStruct) (thrift.ResponseMeta, error) {
	if result == nil { // oneway
		return thrift.ResponseMeta{}, c.Push(method, args, erpc.WithContext(ctx)).Err()
	}
	return thrift.ResponseMeta{}, c.Session.Call(method, args, result, erpc.WithContext(ctx)).Status().Err()
}

func ExampleNewStockProtoFunc_generatedClient() {
	format := thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Service: "Calculator", Transport: thriftproto.Header})
	quiet := slog.New(slog.DiscardHandler)
	server := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", ProtoFunc: format, Mapper: erpc.RPCServiceMethodMapper, Logger: quiet})
	defer server.Close()
	server.RouteCall(new(Calculator))
	lis, err := server.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(lis) // ends with Close

	peer := erpc.NewPeer(erpc.PeerConfig{ProtoFunc: format, Logger: quiet})
	defer peer.Close()
	sess, st := peer.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	client := calculator.NewCalculatorClient(overSession{sess})
	fmt.Println(client.Add(context.Background(), 2, 40))
	_, err = client.Fail(context.Background(), "a reason")
	fmt.Println(erpc.StatusFromError(err).Code(), err)
	// Output:
	// 42 <nil>
	// 1001 status 1001 bad thing: a reason
}
