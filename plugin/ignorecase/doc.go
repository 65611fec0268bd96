// Package ignorecase is a plugin that finds handlers whatever the case of the
// service method that was sent: a call to /Math/ADD reaches /math/add with the
// HTTP mapping of names, and one to math.add reaches Math.Add with the RPC
// mapping.
//
// A method that is spelled as it was registered is left alone. Otherwise the
// first registered handler whose name differs only in case gets the message,
// under its own name. A path that nobody has is lowered, as erpc v7 does, and
// goes to the handler of unknown methods, if there is one; any other name that
// nobody has stays as it was sent.
//
// Give the plugin to NewPeer, so that it hears of every handler. Nothing of it
// is seen on the wire.
package ignorecase
