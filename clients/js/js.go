// Package js holds the client of erpc for browsers: erpc.js, an ES module
// without dependencies that speaks the JSON sub-protocol over WebSocket, and its
// TypeScript types. A Go program can serve it from [Files].
package js

import "embed"

// Files has erpc.js and erpc.d.ts.
//
//go:embed erpc.js erpc.d.ts
var Files embed.FS
