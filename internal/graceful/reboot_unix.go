//go:build unix

package graceful

import "time"

// Reboot shuts down.
func (g *Group) Reboot(t ...time.Duration) { g.Shutdown(t...) }
