package cluster

import (
	"slices"
	"time"

	"github.com/goerpc/erpc"
)

// Options configures a [Cluster]. The zero value works.
type Options struct {
	// Prefix is the prefix of every subject, so that several clusters can share an
	// engine. It consists of letters, digits, '-' and '_'; "" means "erpc".
	Prefix string `yaml:"prefix" ini:"prefix" comment:"Beginning of every subject, so that several clusters can share an engine; empty is erpc"`
	// Beat is the time between two signs of life of a node. A node that misses
	// three is considered gone. 0 means 2 s.
	Beat time.Duration `yaml:"beat" ini:"beat" comment:"Time between two signs of life of a node; one that misses three is gone; 0s is 2s"`
	// Answer is how long Join, Members and Count wait for the answers of other
	// nodes. Join does not wait again for a node that has not answered, until that
	// node is heard again. 0 means 1 s.
	Answer time.Duration `yaml:"answer" ini:"answer" comment:"How long a node waits for the answers of others; 0s is 1s"`
	// Linger is how long a node keeps the subscription of a room after its last
	// local member has left. 0 means 2 s.
	Linger time.Duration `yaml:"linger" ini:"linger" comment:"How long a node keeps the subscription of a room without members there; 0s is 2s"`
	// MaxCalls is how many calls from other nodes may run at the same time.
	// Further ones are refused with CodeExhausted. 0 means 10,000.
	MaxCalls int `yaml:"max_calls" ini:"max_calls" comment:"Calls from other nodes at the same time; 0 is 10000"`
	// MaxRooms is how many rooms a session may be in. Joining more fails with
	// CodeExhausted. 0 means 1,000.
	MaxRooms int `yaml:"max_rooms" ini:"max_rooms" comment:"Rooms that a session may be in; 0 is 1000"`
	// Changes lists prefixes of the names of rooms whose members can ask who joins
	// and leaves: see [WithChanges]. All nodes must have the same.
	Changes []string `yaml:"changes" ini:"changes" comment:"How the names of rooms begin whose members can be told who joins and leaves; the same on all nodes"`
	// ConnAge is the maximum age of an accepted session, give or take a tenth. An
	// older session gets GOAWAY: it ends when its calls have ended, and a client
	// that redials comes back. This spreads clients over nodes that were added. 0
	// means no limit.
	ConnAge time.Duration `yaml:"conn_age" ini:"conn_age" comment:"How old an accepted session may become, give or take a tenth; 0s is no limit"`
	// History lists which rooms keep messages. It needs an engine that is a [Log].
	History []History `yaml:"history" ini:"history" comment:"Rooms that keep messages; the engine must be one that can"`
}

func (o *Options) setDefaults() {
	if o.Prefix == "" {
		o.Prefix = "erpc"
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Beat, 2*time.Second)
	def(&o.Answer, time.Second)
	def(&o.Linger, 2*time.Second)
	if o.MaxRooms <= 0 {
		o.MaxRooms = 1000
	}
	o.Changes = slices.Clone(o.Changes)
	o.History = slices.Clone(o.History)
	for i := range o.History {
		o.History[i].setDefaults()
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = 10_000
	}
}

// An Option adjusts one push.
type Option func(*pushing)

type pushing struct {
	except   string
	confirm  bool
	settings []erpc.MessageSetting
}

// Confirm makes a push wait until a node has queued it for at least one
// session, and fail with ErrNobody if there is no session. Without it, success
// means that the engine accepted the push. Publish and Broadcast ignore it.
func Confirm() Option { return func(p *pushing) { p.confirm = true } }

// Except leaves out the session with that address, such as that of the author.
func Except(address string) Option { return func(p *pushing) { p.except = address } }

// With applies message settings: metadata and the codec of the body.
func With(settings ...erpc.MessageSetting) Option {
	return func(p *pushing) { p.settings = append(p.settings, settings...) }
}
