//go:build unix

package graceful

import (
	"os"
	"os/signal"
	"syscall"
)

// Signal waits for SIGINT or SIGTERM, which shut down, or SIGUSR2, which
// restarts. It returns when that is done.
func (g *Group) Signal() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR2)
	defer signal.Stop(ch)
	if <-ch == syscall.SIGUSR2 {
		g.Reboot()
		return
	}
	g.Shutdown()
}
