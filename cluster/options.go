package cluster

import (
	"slices"
	"time"

	"github.com/goerpc/erpc"
)

// Options configure a [Cluster]. The zero value works.
type Options struct {
	// Prefix begins every subject, so that several clusters can share an engine:
	// letters, digits, '-' and '_'. "" is "erpc".
	Prefix string
	// Beat is the time between two signs of life of a node. A node that misses
	// three is gone. 0 is 2 s.
	Beat time.Duration
	// Answer is how long a node waits for the answers of others: to a barrier of
	// Join, after which a silent node is not waited for before it is heard again,
	// to Members and Count. 0 is 1 s.
	Answer time.Duration
	// Linger is how long a node keeps the subscription of a room that has lost its
	// last member there. 0 is 2 s.
	Linger time.Duration
	// MaxCalls is how many calls from other nodes run at the same time. More are
	// refused with CodeExhausted. 0 is 10,000.
	MaxCalls int
	// MaxRooms is how many rooms a session may be in. It is refused more with
	// CodeExhausted. 0 is 1,000.
	MaxRooms int
	// Changes are how the names of rooms begin whose members can be told who joins
	// and leaves: see [WithChanges]. All nodes must have the same.
	Changes []string
	// ConnAge is how old an accepted session may become, give or take a tenth. Then
	// it is told to go, so that clients spread over nodes that were added: it ends
	// when its calls have, and a client that redials comes back. 0 is no limit.
	ConnAge time.Duration
	// History says which rooms keep messages. The engine must be a [Log].
	History []History
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

// Confirm waits until a node has queued the push for at least one session. It
// makes the push fail with ErrNobody if no session is there. Without it success
// means that the engine took the push. Publish and Broadcast do not look at it.
func Confirm() Option { return func(p *pushing) { p.confirm = true } }

// Except leaves out the session with that address, such as that of the author.
func Except(address string) Option { return func(p *pushing) { p.except = address } }

// With applies settings of messages: metadata and the codec of the body.
func With(settings ...erpc.MessageSetting) Option {
	return func(p *pushing) { p.settings = append(p.settings, settings...) }
}
