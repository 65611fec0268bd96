//go:build unix

package graceful

// HandedDown returns how many listeners a reboot would hand down.
func HandedDown(g *Group) int {
	b, _ := g.bundle() // the others are not what is counted
	defer b.close()
	return len(b.Listeners)
}
