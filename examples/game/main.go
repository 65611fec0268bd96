// Command game is a game server with rooms, and its players:
//
//	go run ./examples/game serve
//	go run ./examples/game bots -n 100
//	go run ./examples/game kick -name bot-7 -reason "no bots, please"
//
// README.md explains the code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goerpc/erpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "game:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("use: game serve|bots|kick [-addr ADDR] [-secret SECRET] [-n BOTS] [-name NAME] [-reason TEXT]")

type options struct {
	addr, secret, name, reason string
	n                          int
	tick                       time.Duration
	log                        *slog.Logger
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	var o options
	flags := flag.NewFlagSet("game "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:9200", "address of the server")
	flags.StringVar(&o.secret, "secret", os.Getenv("GAME_SECRET"), "secret to make tokens with")
	flags.IntVar(&o.n, "n", 10, "number of bots (bots)")
	flags.DurationVar(&o.tick, "tick", 50*time.Millisecond, "time between two states (serve)")
	flags.StringVar(&o.name, "name", "", "name of the player to kick (kick)")
	flags.StringVar(&o.reason, "reason", "kicked", "reason that the player is told (kick)")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	o.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	switch args[0] {
	case "serve":
		return o.serve(ctx, out)
	case "bots":
		return o.bots(ctx, out)
	case "kick":
		return o.kick(ctx, out)
	}
	return errUsage
}

func (o *options) serve(ctx context.Context, out io.Writer) error {
	s := newServer(erpc.PeerConfig{ListenAddress: o.addr, Logger: o.log, MaxSessions: 10_000, IdleTimeout: time.Minute}, o.secret, 10*time.Second)
	lis, err := s.peer.Listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening for players on", lis.Addr())
	served := make(chan error, 1)
	go func() { served <- s.peer.Serve(lis) }()
	s.run(ctx, o.tick)
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = s.peer.Shutdown(end) // asks players to come back
	<-served
	return err
}

// bots runs n players that move at random, ten to a room.
func (o *options) bots(ctx context.Context, out io.Writer) error {
	var all sync.WaitGroup
	defer all.Wait()
	var states atomic.Int64
	for i := range o.n {
		name := fmt.Sprintf("bot-%d", i)
		c, err := play(ctx, erpc.PeerConfig{Logger: o.log}, o.addr, mint(o.secret, name, "player"), fmt.Sprintf("room-%d", i/10),
			func(*State) { states.Add(1) })
		if err != nil {
			return err
		}
		all.Go(func() {
			defer c.peer.Close()
			if why := c.wander(ctx); why != nil {
				fmt.Fprintf(out, "%s is out: %v\n", name, why)
			}
		})
	}
	fmt.Fprintln(out, o.n, "bots play")
	for second := time.Tick(time.Second); ; {
		select {
		case <-second:
			fmt.Fprintln(out, states.Swap(0), "states a second")
		case <-ctx.Done():
			return nil
		}
	}
}

// wander steers until ctx or the session ends, and returns why the session did.
func (c *client) wander(ctx context.Context) error {
	for turn := time.Tick(time.Second); ; {
		select {
		case <-turn:
			_ = c.steer(ctx, rand.IntN(3)-1, rand.IntN(3)-1) // a lost heading does not matter
		case <-c.sess.CloseNotify():
			return errors.New("the session has ended")
		case <-ctx.Done():
			return nil
		}
	}
}

func (o *options) kick(ctx context.Context, out io.Writer) error {
	c, err := play(ctx, erpc.PeerConfig{Logger: o.log}, o.addr, mint(o.secret, "admin", "admin"), "admins", func(*State) {})
	if err != nil {
		return err
	}
	defer c.peer.Close()
	n, err := kickPlayer.Call(ctx, c.sess, &Kick{o.name, o.reason})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "kicked %d sessions of %s\n", *n, o.name)
	return nil
}
