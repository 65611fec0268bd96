package limit_test

import (
	"context"
	"errors"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/session"
)

// TestPending fills a session with calls: the next one is refused at once, and gets
// a place when one of them has ended. Pushes and heartbeats get through.
func TestPending(t *testing.T) {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
	g := &gate{make(chan int, 100), make(chan struct{}, 100)}
	erpc.HandleCall(srv, "/work", g.handle)
	pushed := make(chan int, 1)
	erpc.HandlePush(srv, "/note", func(_ context.Context, n *int) error { pushed <- *n; return nil })
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, limit.Pending(3))
	t.Cleanup(func() {
		close(g.let)
		_ = cli.Close()
		_ = srv.Close()
		await(t, "Serve", served)
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	var busy []erpc.CallCmd
	for n := range 3 {
		busy = append(busy, call(sess, n))
		await(t, "a handler", g.begun)
	}
	for _, cmd := range []erpc.CallCmd{call(sess, 3), sess.Call("/work", 4, nil)} {
		await(t, "the refusal", cmd.Done())
		if st := cmd.Status(); st.Code() != erpc.CodeExhausted || !errors.Is(st.Cause(), limit.ErrPending) || errors.Is(st.Cause(), session.ErrOverflow) {
			t.Errorf("the call above the limit ended with %v", st)
		}
	}
	if st := sess.Push("/note", 7); !st.OK() || await(t, "the push", pushed) != 7 {
		t.Errorf("a push: %v", st)
	}
	if st := sess.Call("/heartbeat", nil, nil).Status(); st.Code() != erpc.CodeNotFound {
		t.Errorf("a heartbeat: %v, want it to get through", st)
	}
	g.let <- struct{}{}
	ended := make(chan struct{}, 3)
	for _, cmd := range busy {
		go func() { <-cmd.Done(); ended <- struct{}{} }()
	}
	await(t, "the end of one", ended)
	again := call(sess, 5)
	if n := await(t, "the next to begin", g.begun); n != 5 {
		t.Errorf("%d began", n)
	}
	for range 3 {
		g.let <- struct{}{}
	}
	await(t, "its end", again.Done())
	if st := again.Status(); !st.OK() {
		t.Error(st)
	}
	await(t, "the others", ended)
	await(t, "the others", ended)
}

func TestPendingOfNone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Pending(0) did not panic")
		}
	}()
	limit.Pending(0)
}

func TestYAML(t *testing.T) {
	var got limit.Config
	err := yaml.Unmarshal([]byte("handlers: 3\nqueue: 4\nwait: 20ms\nordered: true"), &got)
	if want := (limit.Config{Handlers: 3, Queue: 4, Wait: 20e6, Ordered: true}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
