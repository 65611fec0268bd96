package main

import (
	"sync"

	"github.com/andeya/erpc/v7"
	"github.com/andeya/erpc/v7/plugin/auth"
	"github.com/andeya/erpc/v7/plugin/heartbeat"
	"github.com/andeya/erpc/v7/plugin/proxy"
	"github.com/andeya/erpc/v7/plugin/secure"
)

// secureStatus is the status code of v7's secure plugin in the vectors.
const secureStatus = 100001

const heartbeatRate = 3 // seconds, the least that v7 takes

// sharedPlugins are those that either side may have.
func sharedPlugins(o *options, beats *heartbeats) []erpc.Plugin {
	var list []erpc.Plugin
	if o.secure != "" {
		list = append(list, secure.NewPlugin(secureStatus, o.secure))
	}
	switch o.heartbeat {
	case "pong":
		list = append(list, heartbeat.NewPong(), beats.plugin())
	case "call", "push":
		list = append(list, heartbeat.NewPing(heartbeatRate, o.heartbeat == "call"), beats.plugin())
	}
	return list
}

// authChecker lets those in who show the token.
func authChecker(token string) erpc.Plugin {
	return auth.NewCheckerPlugin(func(_ auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
		var shown string
		if stat := receive(&shown); !stat.OK() {
			return nil, stat
		}
		if shown != token {
			return nil, erpc.NewStatus(403, "auth fail", "auth fail detail")
		}
		return "pass", nil
	}, erpc.WithBodyCodec('s'))
}

// authBearer shows the token, and gives the server's answer to got.
func authBearer(token string, got func(string)) erpc.Plugin {
	return auth.NewBearerPlugin(func(_ auth.Session, send auth.SendOnce) *erpc.Status {
		var answer string
		stat := send(token, &answer)
		got(answer)
		return stat
	}, erpc.WithBodyCodec('s'))
}

// proxyTo forwards every call and push to the backend.
func proxyTo(backend erpc.Session) erpc.Plugin {
	return proxy.NewPlugin(func(*proxy.Label) proxy.Forwarder { return backend })
}

// heartbeats watches the heartbeats of all sessions of a peer.
type heartbeats struct {
	seen func(heartbeatLine) // called concurrently; nil for nobody

	once     sync.Once
	answered chan struct{} // closed at the first one that arrived, was answered, or was pushed
}

func newHeartbeats(seen func(heartbeatLine)) *heartbeats {
	return &heartbeats{seen: seen, answered: make(chan struct{})}
}

// plugin only watches. A heartbeat that arrives counts when v7 has found its
// handler; one that v7 sends as a PUSH counts once it is written, as a CALL when
// the reply is there.
func (h *heartbeats) plugin() erpc.Plugin {
	arrived := func(kind string) func(erpc.ReadCtx) *erpc.Status {
		return func(ctx erpc.ReadCtx) *erpc.Status {
			if ctx.ServiceMethod() != heartbeat.HeartbeatServiceMethod {
				return nil
			}
			if h.seen != nil {
				h.seen(heartbeatLine{Heartbeat: kind, Rate: string(ctx.PeekMeta("hb_"))})
			}
			h.done()
			return nil
		}
	}
	return &erpc.PluginImpl{
		PluginName:         "v7peer-heartbeats",
		OnPostReadCallBody: arrived("CALL"),
		OnPostReadPushBody: arrived("PUSH"),
		OnPostReadReplyBody: func(ctx erpc.ReadCtx) *erpc.Status {
			if ctx.ServiceMethod() == heartbeat.HeartbeatServiceMethod && ctx.StatusOK() {
				h.done()
			}
			return nil
		},
		OnPostWritePush: func(ctx erpc.WriteCtx) *erpc.Status {
			if ctx.Output().ServiceMethod() == heartbeat.HeartbeatServiceMethod {
				h.done()
			}
			return nil
		},
	}
}

func (h *heartbeats) done() { h.once.Do(func() { close(h.answered) }) }
