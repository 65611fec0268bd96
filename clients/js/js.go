// Package js holds the client of erpc for browsers: erpc.js, an ES module
// without dependencies that speaks the JSON sub-protocol over WebSocket, with
// streams.js, which it imports, and its TypeScript types. A Go program can serve
// them from [Files].
package js

import "embed"

// Files has erpc.js, streams.js and erpc.d.ts.
//
//go:embed erpc.js streams.js erpc.d.ts
var Files embed.FS
