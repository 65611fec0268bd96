// Package otel is a plugin that records OpenTelemetry spans and metrics of
// calls and pushes, at both ends. The trace context is sent in the metadata in
// W3C format (traceparent, tracestate); peers without the plugin ignore it.
//
// The context of a handler contains its span, so calls made with that context
// become its children.
//
// Names and attributes follow the semantic conventions of OpenTelemetry for
// RPC: the histograms rpc.client.call.duration and rpc.server.call.duration in
// seconds, with rpc.system.name, rpc.method, rpc.response.status_code and
// error.type, and spans with server.address and server.port or client.address
// beside these. A handler's span is an error only for a status of 500 to 599 or
// one about the connection. A caller's span is an error for any failed status.
//
// A stream is one call, from its opening to its end. Its span has
// erpc.messages.sent and erpc.messages.received; the counter
// erpc.stream.messages sums them up, with the attribute erpc.direction.
//
// Methods without a handler, whose names clients choose, are counted together
// as "_OTHER"; so are the methods that this peer calls beyond the first 1000.
// Pass the plugin to NewPeer, so that it learns the names of all handlers.
// Heartbeats are left out unless [Config].Filter accepts them.
//
// A call without a reply ends with its context. If its connection breaks and
// its context never ends, the call leaves no span.
//
// Package otel/prometheus has metrics without OpenTelemetry. Both are in a
// separate module, so that erpc itself does not depend on these libraries.
package otel
