package main

import "github.com/goerpc/erpc"

// The methods of players and server. Both ends use these variables.
var (
	enterRoom  = erpc.Method[Enter, Welcome]{Name: "/game/enter"} // the first call on each connection
	steer      = erpc.Method[Heading, struct{}]{Name: "/game/steer"}
	roomState  = erpc.Method[State, struct{}]{Name: "/game/state"} // pushed by the server at each tick
	kickPlayer = erpc.Method[Kick, int]{Name: "/admin/kick"}       // for the role admin
)

// Codes of the game's statuses.
const (
	codeBadRoom  = 1001
	codeFull     = 1002
	codeKicked   = 1003
	codeReplaced = 1004
	codeCheating = 1005
)

// Enter is the argument of enterRoom. A player who was in the room a moment ago
// continues where they were.
type Enter struct {
	Room string `json:"room"`
}

// Welcome has the name of the player and their position.
type Welcome struct {
	Name string `json:"name"`
	At   Point  `json:"at"`
}

// A Point is a position in a room, or a step.
type Point struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Heading is pushed to steer: the player's step with each tick, at most one in
// each direction. Pushes of a player are handled in order, so the last one
// applies.
type Heading = Point

// State is the state of a room after a tick. A player that is too slow for
// every state gets the newest ones.
type State struct {
	Tick    uint64           `json:"tick"`
	Players map[string]Point `json:"players"`
}

// Kick ends the sessions of a player, and the player's program does not
// reconnect. The reply is the number of sessions.
type Kick struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
