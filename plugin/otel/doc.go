// Package otel is a plugin that makes OpenTelemetry spans and metrics of calls
// and pushes, at both ends. The trace context travels in the metadata, as W3C
// has it (traceparent, tracestate), which peers without the plugin ignore.
//
// It is a module of its own, so that erpc itself pulls in none of OpenTelemetry.
package otel
