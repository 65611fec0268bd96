// Package router maps service methods to handlers. Registration may reflect
// and panics on a mistake; dispatch is one look-up in an immutable table.
//
// A handler is a method of a struct that embeds a context (controller.go), a
// function or method expression (function.go), or a typed function that needs
// no reflection at all (typed.go). A [SubRouter] puts a prefix and plugins in
// front of what is registered with it.
package router
