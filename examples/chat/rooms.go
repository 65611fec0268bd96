package main

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/goerpc/erpc"
)

// Status codes of the chat.
const (
	codeBadInput  = 1001
	codeNameTaken = 1002
	codeNoRoom    = 1003
	codeBehind    = 1004
)

// Longest texts, in characters.
const (
	longestName = 40
	longestText = 2000
)

// A guest is a session in a room. It is immutable.
type guest struct {
	sess erpc.Session
	room string
	name string
}

// guestKey is the key of the guest in a session's store.
type guestKey struct{}

// rooms knows the guests of each room. A room exists while it has guests.
//
// The mutex is held while a message is pushed to the sessions of a room, so all
// of them get the messages in the same order. That does not take long, because
// the peer's queue policy never lets a push wait.
type rooms struct {
	mu        sync.Mutex
	in        map[string][]*guest // in order of arrival
	followers map[string]map[*follower]bool
}

func newRooms() *rooms {
	return &rooms{in: map[string][]*guest{}, followers: map[string]map[*follower]bool{}}
}

// join moves the session into a room. Like all guests, it gets a push with the
// members, possibly before join returns.
func (r *rooms) join(sess erpc.Session, room, name string) (*Members, *erpc.Status) {
	room, name = strings.TrimSpace(room), strings.TrimSpace(name)
	if !fits(room, longestName) || !fits(name, longestName) {
		return nil, erpc.NewStatus(codeBadInput, "room and name must have 1 to 40 characters")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.in[room] {
		if g.name == name && g.sess != sess {
			return nil, erpc.NewStatus(codeNameTaken, name+" is already here")
		}
	}
	r.removeLocked(sess)
	g := &guest{sess, room, name}
	r.in[room] = append(r.in[room], g)
	sess.Swap().Store(guestKey{}, g)
	if !sess.Health() { // it has ended meanwhile, and leave may have run before
		r.removeLocked(sess)
		return nil, erpc.NewStatusByCodeText(erpc.CodeConnClosed, nil, false)
	}
	return r.tellMembersLocked(room), nil
}

// leave removes the session from its room, if it is in one.
func (r *rooms) leave(sess erpc.BaseSession) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(sess)
}

// say sends a text to everyone in the room of the session, and returns their
// number.
func (r *rooms) say(sess erpc.Session, text string) (int, *erpc.Status) {
	if !fits(text, longestText) {
		return 0, erpc.NewStatus(codeBadInput, "a text must have 1 to 2000 characters")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := guestOf(sess)
	if !ok {
		return 0, erpc.NewStatus(codeNoRoom, "join a room first")
	}
	m := Message{Room: g.room, From: g.name, Text: text}
	r.feedLocked(m)
	return r.tellLocked(g.room, "/chat/message", m), nil
}

// count returns the number of guests in each room.
func (r *rooms) count() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := make(map[string]int, len(r.in))
	for room, guests := range r.in {
		n[room] = len(guests)
	}
	return n
}

// removeLocked is leave for a caller that has the mutex.
func (r *rooms) removeLocked(sess erpc.BaseSession) {
	g, ok := guestOf(sess)
	if !ok {
		return
	}
	sess.Swap().Delete(guestKey{})
	left := slices.DeleteFunc(r.in[g.room], func(other *guest) bool { return other == g })
	if len(left) == 0 {
		delete(r.in, g.room)
		return
	}
	r.in[g.room] = left
	r.tellMembersLocked(g.room)
}

// tellMembersLocked pushes the list of members to a room. The mutex must be
// held.
func (r *rooms) tellMembersLocked(room string) *Members {
	names := make([]string, 0, len(r.in[room]))
	for _, g := range r.in[room] {
		names = append(names, g.name)
	}
	members := &Members{Room: room, Members: names}
	r.tellLocked(room, "/chat/members", members)
	return members
}

// tellLocked pushes to everyone in a room, encoding once per protocol. Sessions
// that it fails for are about to end. The mutex must be held.
func (r *rooms) tellLocked(room, method string, arg any) int {
	sessions := make([]erpc.Session, 0, len(r.in[room]))
	for _, g := range r.in[room] {
		sessions = append(sessions, g.sess)
	}
	sent, _ := erpc.BroadcastTo(sessions, method, arg)
	return sent
}

func guestOf(sess erpc.BaseSession) (*guest, bool) {
	v, ok := sess.Swap().Load(guestKey{})
	if !ok {
		return nil, false
	}
	return v.(*guest), true
}

// fits reports whether s is valid text with 1 to most characters.
func fits(s string, most int) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most
}
