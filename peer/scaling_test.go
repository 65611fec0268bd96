package peer

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/session"
)

// The session table with 100,000 sessions, under joins, leaves and lookups;
// docs/scaling.md says how often these happen. Run it with -cpu 1,2,4,8.
func BenchmarkShared(b *testing.B) {
	const sessions = 100_000
	p := &Peer{}
	p.table.places = map[string]int{}
	var ids []string
	for i := range sessions {
		c := new(session.Engine)
		c.Rename(fmt.Sprintf("127.0.0.1:%d", i))
		ids = append(ids, c.ID())
		p.table.enterLocked(c, c.ID())
	}
	b.Run("join and leave", func(b *testing.B) {
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			c := new(session.Engine)
			c.Rename(fmt.Sprint("guest ", next.Add(1)))
			for pb.Next() {
				p.table.mu.Lock()
				p.table.enterLocked(c, c.ID())
				p.table.mu.Unlock()
				p.table.mu.Lock()
				p.table.leaveLocked(c)
				p.table.mu.Unlock()
			}
		})
	})
	b.Run("look for one", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, ok := p.GetSession(ids[i%sessions]); !ok {
					b.Error("it is not there")
				}
			}
		})
	})
}
