// Package dispatcher makes services of ordinary functions and methods that do not
// depend on erpc, with up to two arguments and up to two results. It is for
// programs that come from gorpc, and for existing code; write new handlers for
// erpc.HandleCall, without reflection.
package dispatcher
