// Package js holds the erpc client for browsers: erpc.js, an ES module without
// dependencies that uses the JSON sub-protocol over WebSocket; streams.js,
// which it imports; rooms.js, for rooms of a cluster; and their types. A Go
// program can serve them from [Files].
package js

import "embed"

// Files has erpc.js, streams.js and rooms.js, and their types.
//
//go:embed erpc.js streams.js rooms.js erpc.d.ts rooms.d.ts
var Files embed.FS
