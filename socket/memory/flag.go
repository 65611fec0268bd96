package memory

import "sync"

// A flag is set once. The zero value is not set.
type flag struct {
	mu sync.Mutex // guards the following
	on bool
	c  chan struct{}
}

func (f *flag) is() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on
}

// ch returns a channel that is closed when the flag is set.
func (f *flag) ch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c == nil {
		f.c = make(chan struct{})
		if f.on {
			close(f.c)
		}
	}
	return f.c
}

func (f *flag) set() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = true
	if f.c != nil {
		close(f.c)
	}
}
