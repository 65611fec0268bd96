package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// A Config says what a route may do. The zero value bounds nothing.
type Config struct {
	Handlers int           `yaml:"handlers" ini:"handlers" comment:"Messages that each handler works on at the same time; 0 is no bound"`
	Queue    int           `yaml:"queue" ini:"queue" comment:"Messages that may wait for each handler, the newest of which is next; when more would wait, the oldest is refused at once; 0 is none"`
	Wait     time.Duration `yaml:"wait" ini:"wait" comment:"How long a message may wait; 0s is 1s"`
	Ordered  bool          `yaml:"ordered" ini:"ordered" comment:"The messages of one session for a handler wait for one another, in the order of their arrival; not together with a queue"`
}

// DefaultWait is how long a message waits for its handler.
const DefaultWait = time.Second

// Limit is the plugin, for a route or, given to NewPeer, for every route of a
// peer. The bounds are those of each handler, not of all together.
type Limit struct{ cfg Config }

var _ erpc.PostRegPlugin = (*Limit)(nil)

// New returns the plugin. It panics if the configuration makes no sense.
func New(cfg Config) *Limit {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Wait == 0 {
		cfg.Wait = DefaultWait
	}
	return &Limit{cfg}
}

// Handlers returns the plugin that lets each handler work on n messages at the
// same time and refuses the others.
func Handlers(n int) *Limit { return New(Config{Handlers: n}) }

// Ordered returns the plugin that lets the messages of one session for a handler
// wait for one another.
func Ordered() *Limit { return New(Config{Ordered: true}) }

// Validate returns what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Handlers < 0 || c.Queue < 0 || c.Wait < 0:
		return fmt.Errorf("limit: %+v: nothing of it may be below 0", c)
	case c.Queue > 0 && c.Handlers == 0:
		return errors.New("limit: a Queue needs a bound to wait for; set Handlers")
	case c.Queue > 0 && c.Ordered:
		return errors.New("limit: a Queue hands out the newest message first, which Ordered forbids; choose one")
	}
	return nil
}

// Name returns the name of the plugin, which tells those of several bounds apart.
func (l *Limit) Name() string {
	return fmt.Sprintf("limit(%d,%d,%v,%v)", l.cfg.Handlers, l.cfg.Queue, l.cfg.Wait, l.cfg.Ordered)
}

// PostReg sets the bounds of a handler. Of several plugins the last one that
// sets a bound counts.
func (l *Limit) PostReg(h *erpc.Handler) error {
	if l.cfg.Handlers > 0 {
		h.SetLimit(l.cfg.Handlers)
		h.SetQueue(l.cfg.Queue, l.cfg.Wait)
	}
	if l.cfg.Ordered {
		h.SetOrdered(true)
	}
	return nil
}
