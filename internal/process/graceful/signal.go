package graceful

import (
	"errors"
	"os"
	"os/signal"
)

// Signal waits for an interrupt or SIGTERM, which shut down, or SIGUSR2, which
// restarts. It returns when that is done, or a shutdown that somebody else began.
// A restart that fails is logged, and it waits on.
func (g *Group) Signal() {
	over := g.afterShutdown()
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, append(stopSignals, rebootSignals...)...)
	defer signal.Stop(ch)
	for {
		select {
		case <-over:
			return
		case sig := <-ch:
			if !isReboot(sig) {
				_ = g.Shutdown() // it has logged its error
				return
			}
			if err := g.Reboot(); !errors.Is(err, ErrRebootFailed) {
				return
			}
		}
	}
}

func isReboot(sig os.Signal) bool {
	for _, s := range rebootSignals {
		if s == sig {
			return true
		}
	}
	return false
}
