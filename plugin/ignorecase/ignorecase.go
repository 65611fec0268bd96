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

// A route is what a message asks for, in lower case.
type route struct {
	call  bool
	lower string
}

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
	r := route{h.IsCall(), strings.ToLower(h.Name())}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.names == nil {
		i.names = make(map[route][]string)
	}
	if !slices.Contains(i.names[r], h.Name()) { // of another peer, perhaps
		i.names[r] = append(slices.Clip(i.names[r]), h.Name()) // find returns slices without the lock
	}
	return nil
}

// PostReadCallHeader gives a call the name of its handler.
func (i *IgnoreCase) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	i.rename(ctx, true)
	return nil
}

// PostReadPushHeader gives a push the name of its handler.
func (i *IgnoreCase) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	i.rename(ctx, false)
	return nil
}

func (i *IgnoreCase) rename(ctx erpc.ReadCtx, call bool) {
	sent := ctx.ServiceMethod()
	if has(ctx, call, sent) {
		return
	}
	lower := strings.ToLower(sent)
	for _, name := range i.find(call, lower) {
		if has(ctx, call, name) {
			ctx.ResetServiceMethod(name)
			return
		}
	}
	// A handler that was registered before the plugin was added, or none.
	if strings.HasPrefix(lower, "/") || has(ctx, call, lower) {
		ctx.ResetServiceMethod(lower)
	}
}

func (i *IgnoreCase) find(call bool, lower string) []string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.names[route{call, lower}]
}

// has reports whether the peer has a handler of that very name.
func has(ctx erpc.ReadCtx, call bool, name string) bool {
	p, ok := ctx.Peer().(erpc.Peer)
	if !ok {
		return false
	}
	h, ok := p.Router().Dispatch(call, name)
	return ok && !h.IsUnknown()
}
