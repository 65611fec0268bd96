package dashboard

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// roomView is the answer of api/rooms.
type roomView struct {
	Groups  []room    `json:"groups"` // of the peer
	Rooms   []room    `json:"rooms"`  // of the cluster
	Cluster *nodeView `json:"cluster,omitempty"`
}

type nodeView struct {
	Node  string   `json:"node"`
	Nodes []string `json:"nodes"` // the other nodes that are alive
}

// A room is a group or room, with its number of sessions of this peer.
type room struct {
	Name    string `json:"name"`
	Members int    `json:"members"`
}

// census counts the members of rooms for all viewers. Counting visits every
// session, so the result may be a little old, like the roster.
type census struct {
	mu    sync.Mutex // guards the following
	pace  pace
	taken time.Time
	view  roomView
}

func (d *Dashboard) rooms(*http.Request) (any, error) {
	c := &d.census
	c.mu.Lock()
	defer c.mu.Unlock()
	if begin := time.Now(); c.taken.IsZero() || begin.Sub(c.taken) >= c.pace.interval(watchedShare) {
		c.view = d.countRooms()
		c.taken = begin
		c.pace.took(time.Since(begin))
	}
	return c.view, nil
}

func (d *Dashboard) countRooms() roomView {
	groups, rooms := map[string]int{}, map[string]int{}
	var v roomView
	d.roster.look(func(list []row) {
		for i := range list {
			for _, name := range d.peer.Groups(list[i].sess) {
				groups[name]++
			}
			if d.cfg.Cluster != nil {
				for _, name := range d.cfg.Cluster.Rooms(list[i].sess) {
					rooms[name]++
				}
			}
		}
	})
	v.Groups, v.Rooms = largest(groups), largest(rooms)
	if c := d.cfg.Cluster; c != nil {
		v.Cluster = &nodeView{clip(c.Node()), clipped(c.Nodes())}
	}
	return v
}

// largest returns the rooms with the most members, at most one page.
func largest(members map[string]int) []room {
	list := make([]room, 0, len(members))
	for name, n := range members {
		list = append(list, room{name, n})
	}
	slices.SortFunc(list, func(a, b room) int {
		return cmp.Or(cmp.Compare(b.Members, a.Members), strings.Compare(a.Name, b.Name))
	})
	list = slices.Clone(list[:min(len(list), pageSize)])
	for i := range list {
		list[i].Name = clip(list[i].Name)
	}
	return list
}
