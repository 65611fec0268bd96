package stats

import (
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket"
)

// Traffic counts what was sent and received over connections.
type Traffic struct {
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
	Reads, Writes           uint64 // system calls, or calls of the connection
	Dropped                 uint64 // messages left out because the queue was full
}

func trafficOf(s erpc.Session) Traffic {
	n := s.Stats()
	return Traffic{n.MessagesIn, n.MessagesOut, n.BytesIn, n.BytesOut, n.Reads, n.Writes, n.Dropped}
}

func (t *Traffic) add(u Traffic) {
	t.MessagesIn += u.MessagesIn
	t.MessagesOut += u.MessagesOut
	t.BytesIn += u.BytesIn
	t.BytesOut += u.BytesOut
	t.Reads += u.Reads
	t.Writes += u.Writes
	t.Dropped += u.Dropped
}

// Session holds the counts of a session, including its connections before a
// redial.
type Session struct {
	ID, Remote string
	Traffic
	Queued   int // bytes that wait to be written
	Handlers int // running
	Pending  int // calls waiting for a reply
}

// sessions keeps the counts of ended sessions, and of connections that a redial
// has replaced.
type sessions struct {
	mu   sync.Mutex // guards the following
	live map[erpc.Map]*live
	past Traffic // of sessions that have ended
	ends Ends
}

// Ends counts how sessions have ended.
type Ends struct {
	Disconnects uint64 // total
	ReadErrors  uint64 // of these: the input could not be read
	WriteErrors uint64 // of these: the other side stopped reading
}

// live is an open session. It is identified by its store, which is the same for
// all views of the session.
type live struct {
	sess erpc.Session
	past Traffic // of connections before this one
	// A session keeps its former connection until the hooks of a redial have
	// accepted the next one. The counts of the former connection are already in
	// past, so it must be recognized: by its address, or by its counts if all
	// addresses are equal.
	former     Traffic
	formerAddr string
}

// traffic returns the counts of all connections of the session.
func (l *live) traffic() Traffic {
	t, now := l.past, trafficOf(l.sess)
	if l.formerAddr == "" || now != l.former || l.sess.LocalAddr().String() != l.formerAddr {
		t.add(now)
	}
	return t
}

// replace is called when the connection of the session is about to be replaced.
// counted says that its counts are already in past.
func (l *live) replace(sess erpc.Session, counted bool) {
	l.sess = sess
	if !counted {
		l.past = l.traffic()
	}
	l.former, l.formerAddr = trafficOf(sess), sess.LocalAddr().String()
}

func (s *sessions) connected(pre erpc.PreSession, isRedial bool) {
	sess, ok := pre.(erpc.Session)
	if isRedial { // pre already shows the new connection
		sess, ok = pre.Peer().GetSession(pre.ID())
	}
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live = make(map[erpc.Map]*live)
	}
	l, known := s.live[pre.Swap()]
	if !known {
		l = &live{sess: sess}
		s.live[pre.Swap()] = l
	}
	if isRedial { // unknown: a redial before was refused, and ended has kept the counts
		l.replace(sess, !known)
	}
}

func (s *sessions) ended(sess erpc.BaseSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.live[sess.Swap()]
	if !ok {
		return
	}
	delete(s.live, sess.Swap())
	s.past.add(l.traffic())
	s.ends.Disconnects++
	e, ok := sess.(interface{ Err() error })
	if !ok {
		return
	}
	var op *net.OpError
	switch err := e.Err(); {
	case errors.Is(err, socket.ErrSlowReader), errors.As(err, &op) && op.Op == "write":
		s.ends.WriteErrors++
	case op != nil, err != nil && strings.Contains(err.Error(), "proto: "): // an invalid frame; a plugin can't import those errors
		s.ends.ReadErrors++
	}
}

func (s *sessions) snapshot() (list []Session, total Traffic, ends Ends) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total = s.past
	for _, l := range s.live {
		n := l.sess.Stats()
		t := l.traffic()
		list = append(list, Session{l.sess.ID(), l.sess.RemoteAddr().String(), t, n.Queued, n.Handlers, n.Pending})
		total.add(t)
	}
	return list, total, s.ends
}
