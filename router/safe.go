package router

import (
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// Safe returns the plugin that marks the handlers of a route or of a group as
// safe: they change nothing. HTTP clients may then call them with GET and HEAD,
// which any page can make its visitor send.
func Safe() plugin.Plugin { return safe{} }

type safe struct{}

var _ PostRegPlugin = safe{}

func (safe) Name() string { return "safe" }

func (safe) PostReg(h *session.Handler) error {
	h.SetSafe(true)
	return nil
}
