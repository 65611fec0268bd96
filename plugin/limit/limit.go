package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// A Config holds the limits of a route. The zero value limits nothing.
type Config struct {
	Handlers int           `yaml:"handlers" ini:"handlers" comment:"Messages that each handler works on at the same time; 0 is no bound"`
	Queue    int           `yaml:"queue" ini:"queue" comment:"Messages that may wait for each handler, the newest of which is next; when more would wait, the oldest is refused at once; 0 is none"`
	Wait     time.Duration `yaml:"wait" ini:"wait" comment:"How long a message may wait; 0s is 1s"`
	Ordered  bool          `yaml:"ordered" ini:"ordered" comment:"The messages of one session for a handler wait for one another, in the order of their arrival; not together with a queue"`
}

// DefaultWait is how long a message may wait for its handler by default.
const DefaultWait = time.Second

// Limit is the plugin, for a route or, given to NewPeer, for every route of a
// peer. The limits apply to each handler separately.
type Limit struct{ cfg Config }

var _ erpc.PostRegPlugin = (*Limit)(nil)

// New returns the plugin. It panics if the configuration is invalid.
func New(cfg Config) *Limit {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Wait == 0 {
		cfg.Wait = DefaultWait
	}
	return &Limit{cfg}
}

// Handlers returns a plugin that lets each handler work on n messages at the
// same time and refuses others.
func Handlers(n int) *Limit { return New(Config{Handlers: n}) }

// Ordered returns a plugin that makes each handler work on the messages of one
// session one at a time, in order.
func Ordered() *Limit { return New(Config{Ordered: true}) }

// Validate returns the error in the configuration, if any.
func (c Config) Validate() error {
	switch {
	case c.Handlers < 0 || c.Queue < 0 || c.Wait < 0:
		return fmt.Errorf("limit: %+v: no value may be below 0", c)
	case c.Queue > 0 && c.Handlers == 0:
		return errors.New("limit: a Queue needs a limit to wait for; set Handlers")
	case c.Queue > 0 && c.Ordered:
		return errors.New("limit: a Queue hands out the newest message first, which Ordered forbids; choose one")
	}
	return nil
}

// Name returns the name of the plugin. It contains the limits, so that several
// of these plugins can be told apart.
func (l *Limit) Name() string {
	return fmt.Sprintf("limit(%d,%d,%v,%v)", l.cfg.Handlers, l.cfg.Queue, l.cfg.Wait, l.cfg.Ordered)
}

// PostReg sets the limits of a handler. If several plugins set the same limit,
// the last one wins.
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
