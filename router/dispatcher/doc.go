// Package dispatcher makes services of ordinary functions and methods, which know
// nothing of erpc: with no, one or two arguments, and no, one or two results. It
// is for programs that come from gorpc, and for code that is there already; new
// handlers are better written as erpc.HandleCall takes them, without reflection.
package dispatcher
