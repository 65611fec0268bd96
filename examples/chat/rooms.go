package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

// Status codes of the chat.
const (
	codeBadInput = 1001
	codeNoRoom   = 1002
	codeBehind   = 1003
)

// Longest texts, in characters.
const (
	longestName = 40
	longestText = 2000
)

// rooms are the groups of a peer. A session is in one room at most, and a user
// may have several sessions.
type rooms struct {
	peer erpc.Peer
	log  *slog.Logger

	// The mutex is held while something is pushed to a room, so all of its members
	// get the messages in the same order. That does not take long, because the
	// peer's queue policy never lets a push wait. It also guards the following.
	mu        sync.Mutex
	users     map[string]int                // number of users in each room
	followers map[string]map[*follower]bool // by room
}

func newRooms(log *slog.Logger) *rooms {
	return &rooms{log: log, users: map[string]int{}, followers: map[string]map[*follower]bool{}}
}

// roomKey is the key of the room in a session's store. The hook left needs it,
// because a session that has ended is in no group.
type roomKey struct{}

func roomOf(sess erpc.BaseSession) string {
	room, _ := sess.Swap().Load(roomKey{})
	name, _ := room.(string)
	return name
}

// join moves the session of the caller into a room. Like all members, it gets a
// push with the members, possibly before the reply.
func (r *rooms) join(ctx context.Context, arg *Join) (*Members, error) {
	room := strings.TrimSpace(arg.Room)
	if !fits(room, longestName) {
		return nil, erpc.NewStatus(codeBadInput, "the name of a room must have 1 to 40 characters").Err()
	}
	sess := erpc.CallCtxFrom(ctx).Session()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.peer.Group(room).Join(sess) {
		return nil, erpc.NewStatusByCodeText(erpc.CodeConnClosed, "the session has ended", false).Err()
	}
	before := roomOf(sess)
	sess.Swap().Store(roomKey{}, room)
	if before != "" && before != room {
		r.peer.Group(before).Leave(sess)
		r.tellMembersLocked(before)
	}
	r.log.InfoContext(ctx, "joined", "user", auth.IdentityOf(sess).Name, "room", room)
	return r.tellMembersLocked(room), nil
}

// left is the hook for sessions that have ended, which are in no group any more.
func (r *rooms) left(sess erpc.BaseSession) *erpc.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := roomOf(sess); room != "" {
		r.log.Info("left", "user", auth.IdentityOf(sess).Name, "room", room)
		r.tellMembersLocked(room)
	}
	return nil
}

// say sends a text to everyone in the room of the caller, and returns the number
// of sessions.
func (r *rooms) say(ctx context.Context, arg *Say) (*int, error) {
	if !fits(arg.Text, longestText) {
		return nil, erpc.NewStatus(codeBadInput, "a text must have 1 to 2000 characters").Err()
	}
	sess := erpc.CallCtxFrom(ctx).Session()
	r.mu.Lock()
	defer r.mu.Unlock()
	room := roomOf(sess)
	if room == "" {
		return nil, erpc.NewStatus(codeNoRoom, "join a room first").Err()
	}
	m := Message{Room: room, From: auth.IdentityOf(sess).Name, Text: arg.Text}
	r.feedLocked(m)
	n, _ := r.peer.Group(room).Broadcast("/chat/message", m, nil) // sessions that it fails for are about to end
	return &n, nil
}

// list returns the number of users in each room.
func (r *rooms) list(context.Context, *struct{}) (*map[string]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	users := maps.Clone(r.users)
	return &users, nil
}

// tellMembersLocked pushes the list of members, sorted, to a room whose members
// have changed. The mutex must be held.
func (r *rooms) tellMembersLocked(room string) *Members {
	names := []string{}
	for _, sess := range r.peer.Group(room).Members() {
		names = append(names, auth.IdentityOf(sess).Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	r.users[room] = len(names)
	if len(names) == 0 {
		delete(r.users, room)
	}
	members := &Members{Room: room, Members: names}
	r.peer.Group(room).Broadcast("/chat/members", members, nil)
	return members
}

// fits reports whether s is valid text with 1 to most characters.
func fits(s string, most int) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most
}
