package graceful

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/goerpc/erpc/peer"
)

// Signal waits for an interrupt or SIGTERM, which shut down, or SIGUSR2, which
// restarts. It returns when that is done, or when a shutdown by another call has
// ended. A restart that fails is logged, and Signal keeps waiting.
//
// Once a shutdown has begun, signals have their default effect again: a second
// interrupt ends the process at once.
func (g *Group) Signal() error {
	over := g.afterShutdown()
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, append(stopSignals, rebootSignals...)...)
	defer signal.Stop(ch)
	reboots := make(chan error, 1)
	rebooting := false
	for {
		select {
		case err := <-over:
			return err
		case err := <-reboots:
			rebooting = false
			if !errors.Is(err, ErrRebootFailed) {
				return err
			}
		case sig := <-ch:
			switch {
			case !slices.Contains(rebootSignals, sig):
				signal.Stop(ch)
				log := g.logger() // while there are peers
				log.Info("shutting down; a second signal ends the process at once", "signal", sig.String())
				err := g.Shutdown()
				expectExit(log)
				return err
			case rebooting:
				g.logger().Warn("signal ignored: a reboot is in progress", "signal", sig.String())
			default:
				rebooting = true
				go func() { reboots <- g.Reboot() }()
			}
		}
	}
}

// exitDelay is how long after a shutdown main may take to return.
const exitDelay = 5 * time.Second

// expectExit warns if the process still runs a while after its peers have
// ended. A main function that ends with select {} never does.
func expectExit(log *slog.Logger) {
	time.AfterFunc(exitDelay, func() {
		log.Warn("the peers have shut down, but the process still runs: let main return after GraceSignal, or call erpc.GraceExit in its place")
	})
}

// waitDelay is how often a long shutdown logs what it waits for.
const waitDelay = 2 * time.Second

// logWaits logs what a shutdown waits for until ctx ends.
func logWaits(ctx context.Context, log *slog.Logger, peers []*peer.Peer) {
	t := time.NewTicker(waitDelay)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		handlers, sessions := 0, 0
		for _, p := range peers {
			handlers += p.Handlers()
			sessions += p.CountSession()
		}
		log.Info("shutdown waits", "handlers", handlers, "sessions", sessions)
	}
}
