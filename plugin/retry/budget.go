package retry

import "sync"

// A budget limits retries: each call earns a share of one retry.
type budget struct {
	mu    sync.Mutex // guards left
	left  float64
	share float64 // what each call earns; below 0: no limit
	max   float64
}

// init fills the budget.
func (b *budget) init(share, max float64) { b.left, b.share, b.max = max, share, max }

func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.max, b.left+b.share)
}

// spend takes one retry from the budget and reports whether there was one.
func (b *budget) spend() bool {
	if b.share < 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
