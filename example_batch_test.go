package erpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goerpc/erpc"
)

// exampleServer serves /double, and /wait, which ends when its caller has gone.
func exampleServer() (addr string, end func()) {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)})
	erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) {
		twice := 2 * *n
		return &twice, nil
	})
	erpc.HandleCall(srv, "/wait", func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	lis, err := srv.Listen()
	if err != nil {
		panic(err)
	}
	go srv.Serve(lis)
	return lis.Addr().String(), func() { _ = srv.Close() }
}

// Calls that leave in one write, each with its own result and status, and a push
// to which nobody replies.
func ExampleNewBatch() {
	addr, end := exampleServer()
	defer end()
	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(addr)
	if !st.OK() {
		fmt.Println(st)
		return
	}
	b := erpc.NewBatch(sess)
	args, results := [2]int{1, 2}, [2]int{}
	for i := range args {
		b.Call("/double", &args[i], &results[i])
	}
	missing := b.Call("/no/such", nil, nil)
	b.Push("/note", "no reply wanted")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	b.Do(ctx)
	fmt.Println(results, missing.Status().Code())
	// Output: [2 4] 404
}

// A call that its caller gives up: the handler's context ends.
func ExampleWithCancel() {
	addr, end := exampleServer()
	defer end()
	cli := erpc.NewPeer(erpc.PeerConfig{
		CallTimeout:  5 * time.Second,  // of calls that bring no time of their own
		StuckTimeout: 30 * time.Second, // calls wait, and nothing comes: end the connection
		RedialTimes:  -1,               // and make another
	})
	defer cli.Close()
	sess, st := cli.Dial(addr)
	if !st.OK() {
		fmt.Println(st)
		return
	}
	cmd := sess.AsyncCall("/wait", nil, nil, nil, erpc.WithCancel())
	cmd.Cancel()
	<-cmd.Done()
	fmt.Println(cmd.Status().Code() == erpc.CodeCanceled)
	// Output: true
}
