// Package session implements the conversation with one remote peer. It has the
// interfaces that handlers and plugins see (session.go, context.go, hooks.go,
// handler.go) and the engine behind them.
//
// An [Engine] is a session: it has an id and survives a redial. Its [conn] is one
// connection: the goroutine that reads from it (readloop.go), the calls that wait on it
// (pending.go), the handlers that run for it (serve.go). state.go has the states of a
// session and the moves between them.
//
// The engine knows the layers above it only through [Config]: [Routes] that find
// handlers, the [Hooks] of plugins, and an [Owner] that keeps the table of
// sessions.
package session
