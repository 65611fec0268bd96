package cluster

import (
	"errors"

	"github.com/goerpc/erpc"
)

// Errors that callers decide on. Each is a *erpc.StatusError with a code, so a
// handler can return it.
var (
	// ErrNobody says that no session is where the message was to go.
	ErrNobody = erpc.NewStatus(erpc.CodeNotFound, "cluster: nobody is there").Err()
	// ErrDown says that the engine is disconnected and nothing was sent.
	ErrDown = erpc.NewStatus(erpc.CodeShuttingDown, "cluster: the engine is disconnected; try again later").Err()
	// ErrNotRunning says that the cluster was not started, or was closed.
	ErrNotRunning = erpc.NewStatus(erpc.CodeShuttingDown, "cluster: not running; call Start").Err()
	// ErrTooLarge says that the engine does not carry a message of that size.
	ErrTooLarge = erpc.NewStatus(erpc.CodeTooLarge, "cluster: the message is larger than the engine carries").Err()
	// ErrNodeGone says that the node of a session went away during a call, which
	// may have been executed or not.
	ErrNodeGone = erpc.NewStatus(erpc.CodeConnClosed, "cluster: the node of the session is gone").Err()
	// ErrTooManyRooms says that a session is in Options.MaxRooms rooms.
	ErrTooManyRooms = erpc.NewStatus(erpc.CodeExhausted, "cluster: the session is in too many rooms").Err()
	// ErrSessionEnded says that a session can't join because it has ended.
	ErrSessionEnded = erpc.NewStatus(erpc.CodeConnClosed, "cluster: the session has ended").Err()
)

// errDraining is why a node that drains is not ready.
var errDraining = errors.New("cluster: the node is draining")

// ErrIncomplete says that not every node answered in time. What comes with it is
// what the others said.
var ErrIncomplete = errors.New("cluster: not every node answered")
