// Package session is the conversation with one remote peer. It holds the
// contract that handlers and plugins see (session.go, context.go, hooks.go,
// handler.go) and the engine behind it.
//
// A [Engine] is a session: what has an id, and survives a redial. Its [conn] is
// one connection: the goroutine that reads from it (readloop.go), the calls that
// wait on it (pending.go), the handlers that run for it (serve.go). state.go knows which
// moves a session's life allows.
//
// The engine reaches the layers above it only through what is handed over in
// [Config]: a [Dispatcher] that resolves methods, [Hooks] of plugins, an
// [Owner] that keeps the table of sessions.
package session
