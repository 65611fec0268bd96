package binder_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/binder"
)

func Example() {
	type Query struct {
		User string `param:"<meta><nonzero><stat:1001:log in first>"`
		Page int    `param:"<range:1:100>"`
	}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}, binder.NewStructArgsBinder(nil))
	defer srv.Close()
	erpc.HandleCall(srv, "/list", func(_ context.Context, q *Query) (*string, error) {
		text := fmt.Sprintf("page %d for %s", q.Page, q.User)
		return &text, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	var text string
	st = sess.Call("/list", Query{Page: 2}, &text, erpc.WithSetMeta("user", "ann")).Status()
	fmt.Println(text, st.OK())
	st = sess.Call("/list", Query{Page: 2}, &text).Status()
	fmt.Println(st.Code(), st.Msg())
	st = sess.Call("/list", Query{Page: 0}, &text, erpc.WithSetMeta("user", "ann")).Status()
	fmt.Println(st.Code(), st.Cause())
	// Output:
	// page 2 for ann true
	// 1001 log in first
	// 400 {"handler": "/list", "param": "page", "reason": "smaller than 1: 0"}
}
