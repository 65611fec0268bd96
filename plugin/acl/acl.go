package acl

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// CodeForbidden is the code of a call that the caller's identity does not
// permit.
const CodeForbidden int32 = 403

// ErrRefused is the cause of the status of a call that was refused. It was not
// executed.
var ErrRefused = errors.New("acl: the rules do not allow this session to use the method")

// ACL is the plugin. All methods may be called concurrently. It may serve several
// peers.
type ACL struct {
	cfg     atomic.Pointer[Config] // nil: it was invalid; everything is refused
	mistake error
	refused atomic.Uint64
	lines   lograte.Limiter
}

var (
	_ erpc.PreNewPeerPlugin      = (*ACL)(nil)
	_ erpc.PostRegPlugin         = (*ACL)(nil)
	_ erpc.PreReadCallBodyPlugin = (*ACL)(nil)
	_ erpc.PreReadPushBodyPlugin = (*ACL)(nil)
)

// New returns the plugin. If the rules are invalid, making a peer or
// registering a handler with it fails.
func New(cfg Config) *ACL {
	a := &ACL{}
	a.mistake = a.Update(cfg)
	return a
}

// Update replaces the rules. If the new ones are invalid, it returns an error
// and the old ones stay.
func (a *ACL) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	a.cfg.Store(cfg.clone())
	return nil
}

// Refused returns how many calls and pushes were refused.
func (a *ACL) Refused() uint64 { return a.refused.Load() }

// Name returns the name of the plugin.
func (*ACL) Name() string { return "acl" }

// PreNewPeer returns the error in the rules, if any.
func (a *ACL) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return a.mistake }

// PostReg returns the error in the rules, if any.
func (a *ACL) PostReg(*erpc.Handler) error { return a.mistake }

// PreReadCallBody decides about a call.
func (a *ACL) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return a.decide(ctx) }

// PreReadPushBody decides about a push.
func (a *ACL) PreReadPushBody(ctx erpc.ReadCtx) *erpc.Status { return a.decide(ctx) }

func (a *ACL) decide(ctx erpc.ReadCtx) *erpc.Status {
	method := ctx.ServiceMethod()
	if method == heartbeat.ServiceMethod {
		return nil
	}
	id := auth.IdentityOf(ctx.Session())
	if cfg := a.cfg.Load(); cfg != nil && cfg.allows(method, id) {
		return nil
	}
	a.refused.Add(1)
	a.lines.Do(func(skipped uint64) {
		attrs := []slog.Attr{slog.Uint64("others", skipped)}
		if id != nil {
			attrs = append(attrs, slog.String("identity", id.Name))
		}
		ctx.Log(slog.LevelWarn, "acl: the session may not use the method", attrs...)
	})
	if id == nil {
		return erpc.NewStatusByCodeText(erpc.CodeUnauthorized, ErrRefused, false)
	}
	return erpc.NewStatus(CodeForbidden, "Forbidden", ErrRefused)
}
