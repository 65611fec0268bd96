package stream

import "sync/atomic"

// A Memory counts the bytes that the streams of a peer may hold together. The zero
// value has no limit. It may be used concurrently.
type Memory struct {
	limit int64 // 0: none
	used  atomic.Int64
}

// NewMemory returns a memory of limit bytes; 0 means no limit.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Reserve takes n bytes. It reports false, and takes nothing, if fewer are left.
func (m *Memory) Reserve(n int64) bool {
	if used := m.used.Add(n); m.limit > 0 && used > m.limit {
		m.used.Add(-n)
		return false
	}
	return true
}

// Release gives n bytes back.
func (m *Memory) Release(n int64) { m.used.Add(-n) }

// Used returns how many bytes are taken.
func (m *Memory) Used() int64 { return m.used.Load() }
