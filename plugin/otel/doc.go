// Package otel is a plugin that makes OpenTelemetry spans and metrics of calls
// and pushes, at both ends. The trace context travels in the metadata, as W3C
// has it (traceparent, tracestate), which peers without the plugin ignore.
//
// The span of a handler is in the context that the handler gets, so what is
// called with that is traced below it.
//
// Names and attributes follow the semantic conventions of OpenTelemetry for RPC:
// the histograms rpc.client.call.duration and rpc.server.call.duration in seconds,
// with rpc.system.name, rpc.method, rpc.response.status_code and error.type, and
// spans with server.address and server.port or client.address beside these. Only a
// status of 500 to 599, or about the connection, makes an error of the span of
// a handler; at the caller any failed status does.
//
// A stream is one call, from its opening to its end, whatever ends it; its span has
// erpc.messages.sent and erpc.messages.received, and the counter
// erpc.stream.messages sums them up, with erpc.direction.
//
// Methods that have no handler, which strangers can name as they like, count
// together as "_OTHER", and so do the methods called here above the first 1000.
// So that handlers are known by name, give the plugin to NewPeer. Heartbeats are
// left out unless [Config].Filter takes them in.
//
// A call that gets no reply is ended with its context. One whose context never
// ends, because its connection broke, leaves no span.
//
// Package prometheus beside this one has metrics without OpenTelemetry. Both are
// in a module of their own, so that erpc itself pulls in none of it.
package otel
