package overloader

import (
	"github.com/goerpc/erpc"
)

// Route returns the part of the plugin for a route or a group: all limits
// except MaxConn, which concerns connections. It shares its counts with
// everything else that has the same Overloader. Don't use it on a peer and on
// one of its routes, or messages to the route count twice.
func (o *Overloader) Route() erpc.Plugin { return &routeOverloader{o} }

// A routeOverloader counts messages once their handler is known.
type routeOverloader struct{ o *Overloader }

var (
	_ erpc.PostRegPlugin         = (*routeOverloader)(nil)
	_ erpc.PreReadCallBodyPlugin = (*routeOverloader)(nil)
	_ erpc.PreReadPushBodyPlugin = (*routeOverloader)(nil)
	_ erpc.PreWriteReplyPlugin   = (*routeOverloader)(nil)
	_ erpc.PostHandlePlugin      = (*routeOverloader)(nil)
)

// Name returns the name of the plugin.
func (*routeOverloader) Name() string { return "overloader-route" }

// PostReg returns the error in the limits, if any.
func (r *routeOverloader) PostReg(*erpc.Handler) error { return r.o.mistake }

// PreReadCallBody admits or refuses a call. It may wait.
func (r *routeOverloader) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status {
	return r.o.admit(ctx, routeKey{r})
}

// PreReadPushBody admits or refuses a push. It may wait.
func (r *routeOverloader) PreReadPushBody(ctx erpc.ReadCtx) *erpc.Status {
	return r.PreReadCallBody(ctx)
}

// PreWriteReply frees the slot of a call before its reply is written.
func (r *routeOverloader) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	r.o.leave(ctx.Swap(), routeKey{r})
	return nil
}

// PostHandle frees the slot of a push, or of a call to which no reply was
// written.
func (r *routeOverloader) PostHandle(ctx erpc.ReadCtx) { r.o.leave(ctx.Swap(), routeKey{r}) }

// routeKey is the key of a message's slot for a route in its swap.
type routeKey struct{ r *routeOverloader }
