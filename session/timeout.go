package session

import (
	"time"

	"github.com/goerpc/erpc/message"
)

// WithTimeout bounds a call: it ends with CodeHandleTimeout when no reply has
// arrived within d. The handler is told how much time is left. An earlier deadline
// of the context takes precedence.
func WithTimeout(d time.Duration) message.Setting {
	return message.WithSetMeta(MetaTimeout, timeoutText(d))
}

// WithCancel lets [CallCmd.Cancel] reach the handler too: its context ends.
// Calls whose context can end, or that have a timeout, need no such setting.
func WithCancel() message.Setting {
	return func(m *message.Message) {
		if m.Meta().Peek(MetaTimeout) == nil {
			m.Meta().Set(MetaTimeout, "0")
		}
	}
}

// callLimit returns how long the call m may take: the shorter of the context age
// and the timeout of [WithTimeout] or, if nothing else bounds the call, the limit
// of the peer. 0 is no limit.
func callLimit(m *message.Message, age, peer time.Duration) time.Duration {
	limit := age
	if m.Meta().Len() > 0 {
		d, _ := callerTimeout(m)
		if d > 0 && (limit <= 0 || d < limit) {
			limit = d
		}
	}
	if limit > 0 || peer <= 0 {
		return limit
	}
	if _, bounded := m.Context().Deadline(); bounded {
		return 0
	}
	return peer
}
