// Command files transfers files of any size between a client and a server. An
// interrupted transfer resumes where it stopped, and the result is verified
// with the SHA-256 of the whole file:
//
//	go run ./examples/files serve -addr 127.0.0.1:9090 -dir /srv/files
//	go run ./examples/files put -addr 127.0.0.1:9090 backup.tar
//	go run ./examples/files get -addr 127.0.0.1:9090 -dir . backup.tar
//
// Neither side holds more of a file in memory than the window of its stream.
// Everyone who can reach the server can read and write its directory: outside
// of a private network, add mutual TLS as in examples/mutualtls.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/goerpc/erpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "files:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("use: files serve|put|get [-addr ADDR] [-dir DIR] [FILE…]")

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("files "+args[0], flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:9090", "address of the server")
	dir := flags.String("dir", ".", "directory of the files")
	maxSize := flags.Int64("max", 16<<30, "maximum size of a file in bytes (serve)")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	erpc.SetLoggerLevel("WARNING")
	if args[0] == "serve" {
		return serve(ctx, *addr, *dir, *maxSize, out)
	}
	peer := erpc.NewPeer(erpc.PeerConfig{RedialTimes: -1, RedialInterval: 100 * time.Millisecond})
	defer peer.Close()
	sess, st := peer.Dial(*addr)
	if !st.OK() {
		return st.Err()
	}
	for _, name := range flags.Args() {
		bar := &progressLine{out: out, name: name}
		c := client{sess: sess, progress: bar.show}
		var err error
		switch args[0] {
		case "put":
			err = c.put(ctx, name)
		case "get":
			err = c.get(ctx, name, *dir)
		default:
			return errUsage
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", args[0], name, err)
		}
		fmt.Fprintf(out, "\r%s: done\x1b[K\n", name)
	}
	return nil
}

// serve runs the server until ctx ends, and then gives transfers some time to
// finish; clients resume the others later or at another server.
func serve(ctx context.Context, addr, dir string, maxSize int64, out io.Writer) error {
	s, err := openStore(dir, maxSize)
	if err != nil {
		return err
	}
	defer s.close()
	peer := erpc.NewPeer(erpc.PeerConfig{ListenAddress: addr})
	register(peer, s)
	lis, err := peer.Listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening on", lis.Addr())
	ended := make(chan error, 1)
	go func() { ended <- peer.Serve(lis) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return peer.Shutdown(grace)
}

// A progressLine shows the progress of a transfer, at most ten times per
// second.
type progressLine struct {
	out  io.Writer
	name string
	last time.Time
}

func (p *progressLine) show(done, total int64) {
	if now := time.Now(); now.Sub(p.last) >= 100*time.Millisecond {
		p.last = now
		fmt.Fprintf(p.out, "\r%s: %d of %d MiB\x1b[K", p.name, done>>20, total>>20)
	}
}
