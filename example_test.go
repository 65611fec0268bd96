package erpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/goerpc/erpc"
)

// A server with one handler, and a client that calls it.
func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	erpc.HandleCall(srv, "/math/add", func(_ context.Context, arg *[]int) (*int, error) {
		sum := 0
		for _, n := range *arg {
			sum += n
		}
		return &sum, nil
	})
	lis, err := srv.Listen() // or ListenAndServe, where the address need not be known
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
	var sum int
	if st := sess.Call("/math/add", []int{1, 2, 3}, &sum).Status(); !st.OK() {
		fmt.Println(st)
		return
	}
	fmt.Println(sum)
	// Output: 6
}

// A typed call ends with its context, and its error carries the status that the
// handler returned.
func ExampleCall() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	erpc.HandleCall(srv, "/users/name", func(ctx context.Context, id *int) (*string, error) {
		if *id != 7 {
			return nil, erpc.NewStatus(1001, "no such user").Err()
		}
		call := erpc.CallCtxFrom(ctx)
		name := "anna, says " + string(call.PeekMeta("asker"))
		return &name, nil
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
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, id := range []int{7, 8} {
		name, err := erpc.Call[string](ctx, sess, "/users/name", id, erpc.WithAddMeta("asker", "ben"))
		var failed *erpc.StatusError
		switch {
		case errors.As(err, &failed):
			fmt.Println(failed.Status.Code(), failed.Status.Msg())
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(*name)
		}
	}
	// Output:
	// anna, says ben
	// 1001 no such user
}

// Either side may push. Here the server pushes to a client that subscribed.
func ExampleHandlePush() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	erpc.HandlePush(srv, "/news/subscribe", func(ctx context.Context, topic *string) error {
		st := erpc.PushCtxFrom(ctx).Session().Push("/news/tell", "all about "+*topic)
		return st.Err()
	})
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	told := make(chan string, 1)
	erpc.HandlePush(cli, "/news/tell", func(_ context.Context, text *string) error {
		told <- *text
		return nil
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	if st := sess.Push("/news/subscribe", "cats"); !st.OK() {
		fmt.Println(st)
		return
	}
	fmt.Println(<-told)
	// Output: all about cats
}

// A broadcast is encoded once, for all sessions or for a chosen set.
func ExampleBroadcastTo() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	arrived := make(chan string)
	for _, name := range []string{"anna", "ben"} {
		cli := erpc.NewPeer(erpc.PeerConfig{})
		defer cli.Close()
		erpc.HandlePush(cli, "/tick", func(_ context.Context, text *string) error {
			arrived <- *text
			return nil
		})
		erpc.HandleCall(cli, "/name", func(context.Context, *struct{}) (*string, error) { return &name, nil })
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			fmt.Println(st)
			return
		}
		sess.Call("/nothing", nil, nil) // answered: the server has the session, too
	}

	sent, failed := srv.Broadcast("/tick", "to all")
	fmt.Println(sent, failed, <-arrived, <-arrived)

	var chosen []erpc.Session
	srv.RangeSession(func(sess erpc.Session) bool {
		if name, err := erpc.Call[string](context.Background(), sess, "/name", nil); err == nil && *name == "ben" {
			chosen = append(chosen, sess)
		}
		return true
	})
	sent, failed = erpc.BroadcastTo(chosen, "/tick", "to ben")
	fmt.Println(sent, failed, <-arrived)
	// Output:
	// 2 map[] to all to all
	// 1 map[] to ben
}

// A plugin made of functions refuses calls that don't name their author. A
// sub-router applies it to its handlers.
func ExamplePluginImpl() {
	named := &erpc.PluginImpl{
		PluginName: "named",
		OnPreReadCallBody: func(ctx erpc.ReadCtx) *erpc.Status {
			if len(ctx.PeekMeta("author")) == 0 {
				return erpc.NewStatus(erpc.CodeUnauthorized, "who are you?")
			}
			return nil
		},
	}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	private := srv.SubRoute("/private", named)
	fmt.Println(erpc.HandleCall(private, "/greet", func(_ context.Context, name *string) (*string, error) {
		text := "hello, " + *name
		return &text, nil
	}))
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
	fmt.Println(sess.Call("/private/greet", "you", &text).Status().Msg())
	fmt.Println(sess.Call("/private/greet", "you", &text, erpc.WithAddMeta("author", "anna")).StatusOK(), text)
	// Output:
	// /private/greet
	// who are you?
	// true hello, you
}

// Both sides speak TLS. A client that does not know the server's certificate
// beforehand, as here, is not protected from a man in the middle.
func ExampleGenerateTLSConfigForServer() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	srv.SetTLSConfig(erpc.GenerateTLSConfigForServer()) // or SetTLSConfigFromFile(cert, key)
	erpc.HandleCall(srv, "/upside", func(_ context.Context, n *int) (*int, error) {
		down := -*n
		return &down, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	cli.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	var down int
	fmt.Println(sess.Call("/upside", 5, &down).StatusOK(), down)
	// Output: true -5
}

// LoadConfig reads the configuration of a peer from a section of a YAML or INI
// file.
func ExampleLoadConfig() {
	dir, err := os.MkdirTemp("", "erpc")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "peers.ini")
	for _, text := range []string{
		"[server]\nlisten_port = 9090\nslow_comet_duration = 500ms\n",
		"[server]\nlisten_prot = 9090\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			fmt.Println(err)
			return
		}
		var cfg erpc.PeerConfig
		if err := erpc.LoadConfig(path, "server", &cfg); err != nil {
			fmt.Println("refused")
			continue
		}
		fmt.Println(cfg.ListenAddr(), cfg.SlowCometDuration, cfg.Network, cfg.DialTimeout)
	}
	// Output:
	// 0.0.0.0:9090 500ms tcp 10s
	// refused
}

// exampleServer serves /double, and /wait, whose handler returns when its
// caller cancels the call.
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

// A batch sends calls and pushes in one write. Each call has its own result and
// status.
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

// A caller cancels its call, and the handler's context ends.
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
