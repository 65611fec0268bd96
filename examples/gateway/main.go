// Command gateway is an edge gateway: browsers and HTTP clients reach it on one
// port, and erpc services behind it serve their calls.
//
//	go run ./examples/gateway
//
// runs the gateway and two instances of the service behind it in one process;
// with names, such as "gateway -config gateway.yaml text", it only runs those
// parts. README.md explains the code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// maxShutdown bounds the shutdown of each part, after the time to drain.
const maxShutdown = 10 * time.Second

// A part is a running gateway or instance.
type part interface {
	Addr() string
	Done() <-chan error // receives the reason when it stops serving
	Shutdown(ctx context.Context) error
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	path := flags.String("config", "examples/gateway/gateway.yaml", "configuration file")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	var cfg Config
	if err := erpc.LoadConfig(*path, "", &cfg); err != nil {
		return err
	}
	names := flags.Args()
	if len(names) == 0 {
		names = []string{"text", "gateway"}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var parts []part
	defer func() {
		for i := len(parts) - 1; i >= 0; i-- { // clients first
			ctx, cancel := context.WithTimeout(context.Background(), cfg.Gateway.Drain+maxShutdown)
			err = errors.Join(err, parts[i].Shutdown(ctx))
			cancel()
		}
	}()
	for _, name := range names {
		switch name {
		case "gateway":
			g, err := startGateway(cfg.Gateway, log.With("part", name))
			if err != nil {
				return err
			}
			parts = append(parts, g)
			fmt.Fprintf(out, "gateway is at http://%s, /metrics and /ready at http://%s\n", g.Addr(), g.AdminAddr())
		case "text":
			for _, addr := range cfg.Text.Addresses {
				i, err := startText(addr, log.With("part", name))
				if err != nil {
					return err
				}
				parts = append(parts, i)
				fmt.Fprintf(out, "text is at %s\n", i.Addr())
			}
		default:
			return fmt.Errorf("there is no part %q; use gateway or text", name)
		}
	}
	failed := make(chan error, len(parts))
	for _, p := range parts {
		go func() { failed <- <-p.Done() }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
