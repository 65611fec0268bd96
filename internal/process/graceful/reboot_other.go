//go:build !unix

package graceful

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"
)

var (
	stopSignals   = []os.Signal{os.Interrupt}
	rebootSignals []os.Signal
)

// Reboot changes nothing: listeners can't be handed down on this system.
func (g *Group) Reboot(...time.Duration) error {
	err := fmt.Errorf("%w: listeners can't be handed to another process on this system; stop the program and start it again", ErrRebootFailed)
	g.logger().Error("reboot", "err", err)
	return err
}

// inheritance is always empty here.
type inheritance struct{}

func (*inheritance) read(*slog.Logger) bool { return false }

func (*inheritance) take(string, string, bool) (net.Listener, error) { return nil, nil }
