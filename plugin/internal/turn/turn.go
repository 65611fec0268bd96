// Package turn chooses among callers that do the same.
package turn

// From returns the first of list, from start on and around, that can be used right
// now, or the one at start if none can. A session that redials can't. It asks the
// method Connected, or else Health; what has neither can always be used. list must
// not be empty.
func From[T any](list []T, start uint64) T {
	n := uint64(len(list))
	start %= n
	for i := range n {
		if c := list[(start+i)%n]; usable(c) {
			return c
		}
	}
	return list[start]
}

func usable(c any) bool {
	if c, ok := c.(interface{ Connected() bool }); ok {
		return c.Connected()
	}
	h, ok := c.(interface{ Health() bool })
	return !ok || h.Health()
}
