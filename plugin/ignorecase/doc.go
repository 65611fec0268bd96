// Package ignorecase is a plugin that finds handlers by service method
// regardless of case: a call to /Math/ADD reaches /math/add with the HTTP
// mapping of names, and one to math.add reaches Math.Add with the RPC mapping.
//
// A method that matches a handler exactly is left alone. Otherwise the first
// registered handler whose name differs only in case gets the message, under
// its own name. If there is no such handler, a path is converted to lower case,
// as in erpc v7, and any other name is left as it was sent; the message then
// goes to the handler of unknown methods, if there is one.
//
// Pass the plugin to NewPeer, so that it learns of every handler. It does not
// change the wire format.
package ignorecase
