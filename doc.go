// Package erpc is a symmetric peer-to-peer RPC framework. One [Peer] is server
// and client at once; over each connection both ends may CALL, which wants a
// reply, and PUSH, which does not.
//
// This package only names what most programs need, with batteries included:
// every name is an alias of, or one line of code around, what one of the layer
// packages has. See there for details:
//
//	codec  xfer  plugin      bodies, filters, plugins
//	message                  header, status, metadata, body
//	proto                    wire formats
//	socket                   bytes on a connection; transports
//	session                  one conversation
//	router                   names to handlers
//	peer                     listen, dial, the table of sessions
//
// A program written against erpc v7 comes over by changing its import paths;
// docs/migrating.md says what is different.
package erpc
