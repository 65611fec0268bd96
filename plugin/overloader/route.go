package overloader

import (
	"time"

	"github.com/goerpc/erpc"
)

// Route returns the part of the plugin that a route or a group can have: all but
// MaxConn, which is about connections. What it admits counts with everything else
// that has the same Overloader; a peer and a route of its own should not both have
// it, or messages to the route count twice.
func (o *Overloader) Route() erpc.Plugin { return &routeOverloader{o} }

// A routeOverloader counts messages when their handler is known.
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

// PostReg returns what is wrong with the limits.
func (r *routeOverloader) PostReg(*erpc.Handler) error { return r.o.mistake }

// PreReadCallBody admits or refuses a call. It may wait.
func (r *routeOverloader) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status {
	return r.o.admit(ctx, routeKey{r}, time.Now())
}

// PreReadPushBody admits or refuses a push. It may wait.
func (r *routeOverloader) PreReadPushBody(ctx erpc.ReadCtx) *erpc.Status {
	return r.PreReadCallBody(ctx)
}

// PreWriteReply is the end of a call's handler.
func (r *routeOverloader) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	r.o.leave(ctx.Swap(), routeKey{r})
	return nil
}

// PostHandle is the end of a push, and of a call to which no reply was written.
func (r *routeOverloader) PostHandle(ctx erpc.ReadCtx) { r.o.leave(ctx.Swap(), routeKey{r}) }

// routeKey is where the swap of a message that is handled has its slot of a route.
type routeKey struct{ r *routeOverloader }
