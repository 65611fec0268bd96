// Package proxy is a plugin that forwards calls and pushes for which a peer has
// no handler of its own to other peers.
//
// What goes on is the service method, the bytes of the body with the ID of
// their codec, the metadata in its order, the transfer filters, and the address
// of the original caller in X-Real-IP. Bodies are never decoded, so a proxy
// needs neither the types nor the codecs of what it forwards. Filters are undone
// and applied again, so it does need those. The deadline of the caller bounds
// the forwarded call, whose backend is told what is left of it; a caller that
// cancels, or whose connection ends, cancels it there as well.
//
// What comes back is the body with its codec, the metadata and the status. Only
// a status that speaks of the connection with the backend becomes CodeBadGateway:
// it is not the caller's connection that is broken.
//
// A backend that takes no more makes the proxy read no more from those clients
// that have [Config.MaxInFlight] messages on their way.
package proxy
