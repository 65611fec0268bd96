package mux_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket/mux"
)

// One port serves peers of erpc and curl.
func ExampleNew() {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	quiet := erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}
	server := erpc.NewPeer(quiet)
	erpc.HandleCall(server, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil }, erpc.Safe()) // so that GET may call it

	m := mux.New(lis, mux.Config{TLS: erpc.GenerateTLSConfigForServer()})
	raw, web := m.Match(mux.Raw), m.Match(mux.HTTP)
	done := make(chan error, 3)
	go func() { done <- server.Serve(raw, rawproto.NewRawProtoFunc()) }()
	go func() { done <- server.Serve(web, httproto.NewHTTProtoFunc()) }()
	go func() { done <- m.Serve() }()

	client := erpc.NewPeer(quiet)
	sess, st := client.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	n, err := erpc.Call[int](context.Background(), sess, "/double", 21)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("raw:", *n)

	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: erpc.GenerateTLSConfigForClient()}}
	res, err := browser.Get("https://" + lis.Addr().String() + "/double")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // it was read
	fmt.Printf("http: %s %s %v\n", res.Status, text, err)

	_, _ = client.Close(), server.Close() // closes both listeners, and with them the mux
	for range 3 {
		<-done
	}
	// Output:
	// raw: 42
	// http: 200 OK 0 <nil>
}
