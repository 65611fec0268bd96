//go:build !linux

package socket

import "context"

// AwaitAcked is for Linux only; elsewhere it returns nil at once.
func (s *Socket) AwaitAcked(context.Context) error { return nil }
