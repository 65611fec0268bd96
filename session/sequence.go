package session

import "sync"

// A sequence lets the messages of one session that must be handled in order run
// one after another, across its connections. The zero value is ready.
type sequence struct {
	mu      sync.Mutex // guards the following
	running bool
	waiting []*exchange // oldest first
}

// enter reports whether x may run now. If not, next will return it.
func (s *sequence) enter(x *exchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		s.waiting = append(s.waiting, x)
		return false
	}
	s.running = true
	return true
}

// next ends the turn of the message that ran and returns the next one, or nil if
// none waits.
func (s *sequence) next() *exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.running, s.waiting = false, nil
		return nil
	}
	x := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	return x
}
