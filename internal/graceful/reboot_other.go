//go:build !unix

package graceful

import (
	"log/slog"
	"os"
	"os/signal"
	"time"
)

// Signal waits for an interrupt, which shuts down, and returns when that is
// done.
func (g *Group) Signal() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	defer signal.Stop(ch)
	<-ch
	g.Shutdown()
}

// Reboot changes nothing: listeners can't be handed down on this system.
func (g *Group) Reboot(...time.Duration) {
	slog.Default().Error("erpc: reboot: listeners can't be handed to another process on this system; start it anew")
}
