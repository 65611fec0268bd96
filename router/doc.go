// Package router maps service methods to handlers. Registration may reflect
// and panics on a mistake; dispatch is one look-up in an immutable table.
//
// A handler is a method of a struct that embeds a context, a function or a method
// expression, which are called by reflection (reflected.go, reflectedstream.go), or a typed
// function, which needs no reflection (typed.go, stream.go). A [SubRouter] adds a prefix and
// plugins to what is registered with it.
package router
