package main

// maxBehind is how many messages a follower may lag behind a room, in addition
// to the window of its stream.
const maxBehind = 100

// A follower receives the messages of a room without being a member.
type follower struct {
	room     string
	messages chan Message
	behind   chan struct{} // closed when it lags too far behind; it gets no more messages then
}

func (r *rooms) follow(room string) *follower {
	f := &follower{room, make(chan Message, maxBehind), make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.followers[room] == nil {
		r.followers[room] = map[*follower]bool{}
	}
	r.followers[room][f] = true
	return f
}

func (r *rooms) unfollow(f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked(f)
}

func (r *rooms) dropLocked(f *follower) {
	delete(r.followers[f.room], f)
	if len(r.followers[f.room]) == 0 {
		delete(r.followers, f.room)
	}
}

// feedLocked passes a message to the followers of its room. It never blocks: a
// follower that does not keep up is dropped.
func (r *rooms) feedLocked(m Message) {
	for f := range r.followers[m.Room] {
		select {
		case f.messages <- m:
		default:
			close(f.behind)
			r.dropLocked(f)
		}
	}
}
