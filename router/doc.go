// Package router maps service methods to handlers. Registration may reflect
// and panics on a mistake; dispatch is one look-up in an immutable table.
//
// A handler is a method of a struct that embeds a context, a function or a method
// expression, which are called by reflection (reflected.go, reflectedstream.go), or
// a typed function that needs none (typed.go, stream.go). A [SubRouter] puts a prefix and plugins in
// front of what is registered with it.
package router
