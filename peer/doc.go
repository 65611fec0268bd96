// Package peer assembles the layers: a peer listens and dials, owns the table
// of its sessions, and gives each session its handlers and hooks. It is client
// and server at once. A program that imports only this package gets TCP and
// Unix sockets with the raw protocol; package erpc adds everything else.
package peer
