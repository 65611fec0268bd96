package main

import "github.com/goerpc/erpc"

// What players and the server say to each other. Both ends use these variables.
var (
	enterRoom  = erpc.Method[Enter, Welcome]{Name: "/game/enter"} // the first thing on each connection
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

// Enter is the argument of enterRoom. Who was in the room a moment ago goes on
// where they were.
type Enter struct {
	Room string `json:"room"`
}

// Welcome says what the player is called there, and where they are.
type Welcome struct {
	Name string `json:"name"`
	At   Point  `json:"at"`
}

// A Point is a place in a room, or a step.
type Point struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Heading is pushed to steer: where the player goes with each tick, at most one
// step in each direction. Pushes of a player are handled in their order, so the
// last one counts.
type Heading = Point

// State is everything that is in a room after a tick. A player that is too slow
// for every state gets the newest ones.
type State struct {
	Tick    uint64           `json:"tick"`
	Players map[string]Point `json:"players"`
}

// Kick ends the sessions of a player, whose program does not come back then. The
// reply is how many there were.
type Kick struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
