package cluster

import (
	"errors"

	"github.com/goerpc/erpc"
)

// Errors that callers decide on. Each is a *erpc.StatusError with a code, so a
// handler can return it.
var (
	// ErrNobody means that the message has no receiving session.
	ErrNobody = erpc.NewStatus(erpc.CodeNotFound, "cluster: nobody is there").Err()
	// ErrDown means that the engine is disconnected and nothing was sent.
	ErrDown = erpc.NewStatus(erpc.CodeShuttingDown, "cluster: the engine is disconnected; try again later").Err()
	// ErrNotRunning means that the cluster was not started, or was closed.
	ErrNotRunning = erpc.NewStatus(erpc.CodeShuttingDown, "cluster: not running; call Start").Err()
	// ErrTooLarge means that the message is too large for the engine.
	ErrTooLarge = erpc.NewStatus(erpc.CodeTooLarge, "cluster: the message is larger than the engine carries").Err()
	// ErrNodeGone means that the node of a session disappeared during a call,
	// which may or may not have been executed.
	ErrNodeGone = erpc.NewStatus(erpc.CodeConnClosed, "cluster: the node of the session is gone").Err()
	// ErrTooManyRooms means that a session is already in Options.MaxRooms rooms.
	ErrTooManyRooms = erpc.NewStatus(erpc.CodeExhausted, "cluster: the session is in too many rooms").Err()
	// ErrSessionEnded means that a session can't join because it has ended.
	ErrSessionEnded = erpc.NewStatus(erpc.CodeConnClosed, "cluster: the session has ended").Err()
)

// errDraining is the reason why a draining node is not ready.
var errDraining = errors.New("cluster: the node is draining")

// ErrIncomplete means that not every node answered in time. The results
// returned with it are those of the other nodes.
var ErrIncomplete = errors.New("cluster: not every node answered")
