package netfault

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/socket/all"
	"github.com/goerpc/erpc/socket/kcp"
)

const port = "7700"

// beat is the time between two heartbeats; a connection is given up after three
// without an answer.
const beat = 200 * time.Millisecond

// play runs one side until its standard input ends.
func play(role string) error {
	network := os.Getenv(networkEnv)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin) // any end means the end of the test
	}()
	cfg := erpc.PeerConfig{
		Network:     network,
		Transports:  []erpc.Transport{&kcp.Transport{}},
		DialTimeout: time.Second,
	}
	switch role {
	case "server":
		return serve(cfg, ended)
	case "client":
		return call(cfg, ended)
	default:
		return fmt.Errorf("no such role")
	}
}

var saying sync.Mutex

func say(format string, args ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Printf(format+"\n", args...)
}

// A teller reports the ends of sessions.
type teller struct{}

func (teller) Name() string { return "teller" }

func (teller) PostAccept(erpc.PreSession) *erpc.Status { say("session"); return nil }

func (teller) PostDial(_ erpc.PreSession, redial bool) *erpc.Status {
	if redial {
		say("redialed")
	}
	return nil
}

func (teller) PostDisconnect(erpc.BaseSession) *erpc.Status { say("gone"); return nil }

func serve(cfg erpc.PeerConfig, ended <-chan struct{}) error {
	cfg.ListenAddress = net.JoinHostPort(serverIP, port)
	cfg.Transports = all.Transports()
	p := erpc.NewPeer(cfg, heartbeat.NewPong(), teller{})
	if cfg.Network == "quic" {
		p.SetTLSConfig(erpc.GenerateTLSConfigForServer())
	}
	erpc.HandleCall(p, "/echo", func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	lis, err := p.Listen()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(lis) }()
	say("ready")
	<-ended
	err = p.Close()
	<-done // returns that the peer was closed
	return err
}

// call calls repeatedly and reports the results. Between two calls it pauses for
// the time in pauseEnv.
func call(cfg erpc.PeerConfig, ended <-chan struct{}) error {
	pause, err := time.ParseDuration(os.Getenv(pauseEnv))
	if err != nil {
		return err
	}
	cfg.Transports = all.Transports()
	cfg.RedialTimes = -1
	cfg.RedialInterval = 50 * time.Millisecond
	cfg.RedialMaxInterval = 500 * time.Millisecond
	p := erpc.NewPeer(cfg, heartbeat.NewPinger(heartbeat.PingConfig{Rate: beat}), teller{})
	if cfg.Network == "quic" {
		p.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	defer p.Close()
	s, st := p.Dial(net.JoinHostPort(serverIP, port))
	if !st.OK() {
		return st.Err()
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-ended; cancel() }()
	body := make([]byte, 8<<10)
	for i := 0; ctx.Err() == nil; i++ {
		body[0] = byte(i)
		one, stop := context.WithTimeout(ctx, time.Minute)
		start := time.Now()
		got, err := erpc.Call[[]byte](one, s, "/echo", &body)
		stop()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			say("failed after %v: %v", time.Since(start).Round(time.Millisecond), err)
		case len(*got) != len(body) || (*got)[0] != body[0]:
			say("wrong: the reply is that of another call")
		default:
			say("ok %v", time.Since(start).Round(time.Millisecond))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}
