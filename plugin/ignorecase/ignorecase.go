package ignorecase

import (
	"slices"
	"strings"
	"sync"

	"github.com/goerpc/erpc"
)

// IgnoreCase is the plugin. It may serve several peers. All methods may be
// called concurrently.
type IgnoreCase struct {
	mu    sync.RWMutex // guards the following
	names map[route][]string
}

// A route is the kind and the lower-case name that a message asks for.
type route struct {
	kind  kind
	lower string
}

// A kind is the kind of handler that a message asks for.
type kind byte

const (
	call kind = iota
	push
	stream
)

// NewIgnoreCase returns the plugin.
func NewIgnoreCase() *IgnoreCase { return &IgnoreCase{} }

var (
	_ erpc.PostRegPlugin            = (*IgnoreCase)(nil)
	_ erpc.PostReadCallHeaderPlugin = (*IgnoreCase)(nil)
	_ erpc.PostReadPushHeaderPlugin = (*IgnoreCase)(nil)
)

// Name returns the name of the plugin.
func (*IgnoreCase) Name() string { return "ignorecase" }

// PostReg remembers how the name of a handler is spelled.
func (i *IgnoreCase) PostReg(h *erpc.Handler) error {
	if h.IsUnknown() {
		return nil
	}
	r := route{push, strings.ToLower(h.Name())}
	switch {
	case h.IsCall():
		r.kind = call
	case h.IsStream():
		r.kind = stream
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.names == nil {
		i.names = make(map[route][]string)
	}
	if !slices.Contains(i.names[r], h.Name()) { // another peer may have registered it
		i.names[r] = append(slices.Clip(i.names[r]), h.Name()) // copy: find returns slices that are read without the lock
	}
	return nil
}

// PostReadCallHeader gives a call, or a stream that is opened, the name of its
// handler.
func (i *IgnoreCase) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	k := call
	if ctx.Input().Mtype() == erpc.TypeStreamOpen {
		k = stream
	}
	i.rename(ctx, k)
	return nil
}

// PostReadPushHeader gives a push the name of its handler.
func (i *IgnoreCase) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	i.rename(ctx, push)
	return nil
}

func (i *IgnoreCase) rename(ctx erpc.ReadCtx, k kind) {
	sent := ctx.ServiceMethod()
	if has(ctx, k, sent) {
		return
	}
	lower := strings.ToLower(sent)
	for _, name := range i.find(k, lower) {
		if has(ctx, k, name) {
			ctx.ResetServiceMethod(name)
			return
		}
	}
	// Either the handler was registered before the plugin was added, or there is
	// none.
	if strings.HasPrefix(lower, "/") || has(ctx, k, lower) {
		ctx.ResetServiceMethod(lower)
	}
}

func (i *IgnoreCase) find(k kind, lower string) []string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.names[route{k, lower}]
}

// has reports whether the peer has a handler of exactly that name.
func has(ctx erpc.ReadCtx, k kind, name string) bool {
	p, ok := ctx.Peer().(erpc.Peer)
	if !ok {
		return false
	}
	if k == stream {
		h, ok := p.Router().DispatchStream(name)
		return ok && !h.IsUnknown()
	}
	h, ok := p.Router().Dispatch(k == call, name)
	return ok && !h.IsUnknown()
}
