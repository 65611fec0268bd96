package mux_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/mux"
)

const limit = wiretest.Limit

// background runs f until the test ends and checks the error with which it then
// ends.
func background(t *testing.T, f func() error, wanted error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	t.Cleanup(func() {
		select {
		case err := <-done:
			if !errors.Is(err, wanted) {
				t.Errorf("ended with %v, want %v", err, wanted)
			}
		case <-time.After(limit):
			t.Error("it does not end")
		}
	})
}

// serve lets a peer and a WebSocket server answer everything on one listener and
// returns its address.
func serve(t *testing.T, lis net.Listener, cfg mux.Config) string {
	t.Helper()
	m := mux.New(lis, cfg)
	p := wiretest.NewServer(t, erpc.PeerConfig{})
	ws := websocket.NewServer("/ws", erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)})
	wiretest.Route(ws.Peer, func(wiretest.Pushed) {})
	for _, s := range []struct {
		rule mux.Rule
		pf   erpc.ProtoFunc
	}{
		{mux.Raw, rawproto.NewRawProtoFunc()},
		{mux.JSON, jsonproto.NewJSONProtoFunc()},
		{mux.Protobuf, pbproto.NewPbProtoFunc()},
		{mux.Thrift, thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Service: "Home"})},
		{mux.WebSocket, nil},
		{mux.HTTP, httproto.NewHTTProtoFunc()},
	} {
		lis := m.Match(s.rule)
		if s.pf == nil {
			background(t, func() error { return ws.Serve(lis) }, erpc.ErrClosed)
		} else {
			background(t, func() error { return p.Serve(lis, s.pf) }, erpc.ErrClosed)
		}
	}
	background(t, m.Serve, nil)
	t.Cleanup(func() { // before the waits above; with the last listener the mux ends
		for _, err := range []error{p.Close(), ws.Close(), m.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return lis.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

// A client calls at an address, with TLS if secure is true.
type client struct {
	name string
	call func(t *testing.T, addr string, secure bool) error
}

func erpcClient(name string, pf erpc.ProtoFunc) client {
	return client{name, func(t *testing.T, addr string, secure bool) error {
		p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: pf})
		if secure {
			p.SetTLSConfig(erpc.GenerateTLSConfigForClient())
		}
		sess, st := p.Dial(addr)
		if !st.OK() {
			return st.Err()
		}
		defer sess.Close()
		return wiretest.Call{Method: "/math/nested", Arg: []int{1, 2}, Want: 103}.Do(sess)
	}}
}

func callWebSocket(_ *testing.T, addr string, secure bool) error {
	c := websocket.NewClient("/ws", erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)})
	defer c.Close()
	if secure {
		c.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	sess, st := c.Dial(addr)
	if !st.OK() {
		return st.Err()
	}
	return wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}.Do(sess)
}

func callHTTP(_ *testing.T, addr string, secure bool) error {
	tr := &http.Transport{TLSClientConfig: erpc.GenerateTLSConfigForClient()}
	defer tr.CloseIdleConnections()
	url := "http://" + addr + "/math/add"
	if secure {
		url = "https" + strings.TrimPrefix(url, "http")
	}
	res, err := (&http.Client{Transport: tr, Timeout: limit}).Post(url, "application/json", strings.NewReader("[1,2]"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); res.StatusCode != 200 || string(text) != "3" {
		return fmt.Errorf("%s %q, %v", res.Status, text, err)
	}
	return nil
}

// callThrift is a client of Apache Thrift's Go library.
func callThrift(wrap func(thrift.TTransport, *thrift.TConfiguration) (thrift.TTransport, thrift.TProtocol)) func(*testing.T, string, bool) error {
	return func(_ *testing.T, addr string, secure bool) error {
		cfg := &thrift.TConfiguration{ConnectTimeout: limit, SocketTimeout: limit, TLSConfig: erpc.GenerateTLSConfigForClient()}
		var under thrift.TTransport = thrift.NewTSocketConf(addr, cfg)
		if secure {
			under = thrift.NewTSSLSocketConf(addr, cfg)
		}
		if err := under.Open(); err != nil {
			return err
		}
		trans, p := wrap(under, cfg)
		defer trans.Close()
		var got wiretest.Author
		_, err := thrift.NewTStandardClient(p, p).Call(context.Background(), "test", &wiretest.Author{Author: "a"}, &got)
		if err == nil && got.Author != "a->OK" {
			err = fmt.Errorf("result %q", got.Author)
		}
		return err
	}
}

var clients = []client{
	erpcClient("raw", rawproto.NewRawProtoFunc()),
	erpcClient("json", jsonproto.NewJSONProtoFunc()),
	erpcClient("protobuf", pbproto.NewPbProtoFunc()),
	erpcClient("http peer", httproto.NewHTTProtoFunc()),
	{"websocket", callWebSocket},
	{"net/http", callHTTP},
	{"thrift framed binary", callThrift(func(t thrift.TTransport, cfg *thrift.TConfiguration) (thrift.TTransport, thrift.TProtocol) {
		f := thrift.NewTFramedTransportConf(t, cfg)
		return f, thrift.NewTBinaryProtocolConf(f, cfg)
	})},
	{"thrift framed compact", callThrift(func(t thrift.TTransport, cfg *thrift.TConfiguration) (thrift.TTransport, thrift.TProtocol) {
		f := thrift.NewTFramedTransportConf(t, cfg)
		return f, thrift.NewTCompactProtocolConf(f, cfg)
	})},
	{"thrift header", callThrift(func(t thrift.TTransport, cfg *thrift.TConfiguration) (thrift.TTransport, thrift.TProtocol) {
		p := thrift.NewTHeaderProtocolConf(t, cfg)
		return p.Transport(), p
	})},
}
