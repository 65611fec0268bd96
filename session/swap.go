package session

import "sync"

// A Swap is a small concurrent map: the store of a session or of one context. The
// zero value is empty and ready.
type Swap struct {
	mu sync.RWMutex // guards m
	m  map[any]any
}

// Load returns the value of key.
func (s *Swap) Load(key any) (value any, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value, ok = s.m[key]
	return value, ok
}

// Store sets the value of key.
func (s *Swap) Store(key, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, value)
}

func (s *Swap) put(key, value any) {
	if s.m == nil {
		s.m = make(map[any]any)
	}
	s.m[key] = value
}

// LoadOrStore returns the value of key if there is one, and otherwise stores
// value and returns that.
func (s *Swap) LoadOrStore(key, value any) (actual any, loaded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.m[key]; ok {
		return v, true
	}
	s.put(key, value)
	return value, false
}

// Delete removes key.
func (s *Swap) Delete(key any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
}

// Range calls f for every entry that existed when Range was called, until f
// returns false. f may change the map.
func (s *Swap) Range(f func(key, value any) bool) {
	for k, v := range s.snapshot() {
		if !f(k, v) {
			return
		}
	}
}

// Len returns the number of entries.
func (s *Swap) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.m)
}

func (s *Swap) snapshot() map[any]any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.m) == 0 {
		return nil
	}
	c := make(map[any]any, len(s.m))
	for k, v := range s.m {
		c[k] = v
	}
	return c
}
