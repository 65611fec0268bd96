package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/goerpc/erpc/cluster"
)

// A Store says how the servers store rooms with history.
type Store struct {
	// Replicas is the number of servers with a copy: 1, 3 or 5. 0 means 1.
	Replicas int
	// Memory stores messages in the servers' memory instead of files.
	Memory bool
}

// A JetStream stream stores the subjects of one group. A message is sent to its
// subject prefixed with storePrefix. The stream's leader stores it and
// republishes it to the subject itself, with its number and that of the
// previous message there. So a node subscribes to a room with history like to
// any other.
const storePrefix = "log."

// A group is what an engine knows about one stream.
type group struct {
	stream string
	size   int
	age    time.Duration
	epoch  string // time when the stream was created
}

var _ cluster.Log = (*Engine)(nil)

// keepLimit bounds a Keep whose context has no deadline: servers that start
// together elect a leader first.
const keepLimit = 30 * time.Second

// Keep implements [cluster.Log].
func (e *Engine) Keep(ctx context.Context, name string, size int, age time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, keepLimit)
	defer cancel()
	for began := time.Now(); ; {
		err := e.create(ctx, name, size, age)
		if !passes(err, time.Since(began)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nats: JetStream: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Errors of JetStream that may pass.
const (
	codeNoPeers = 10005 // a stream has more copies than there are servers that the leader has heard of so far
	codeNoFiles = 10049 // the files of a stream can't be made: they are those of a deleted one, or the disk does not work
)

// removeTime is how long a server may take to remove the files of a deleted stream,
// which it begins after it has answered.
const removeTime = 2 * time.Second

// passes reports whether an error, for which creating a stream has failed for that
// long, is one of servers that have just started, that choose a leader, or that remove
// files.
func passes(err error, failing time.Duration) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 503 || api.ErrorCode == codeNoPeers || api.ErrorCode == codeNoFiles && failing < removeTime
	}
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded)
}

// create creates the stream of a group, or changes its limits.
func (e *Engine) create(ctx context.Context, name string, size int, age time.Duration) error {
	storage := jetstream.FileStorage
	if e.Store.Memory {
		storage = jetstream.MemoryStorage
	}
	var info *jetstream.StreamInfo
	err := e.onLink(ctx, func(ctx context.Context, conn *nats.Conn) error {
		js, err := jetstream.New(conn)
		if err != nil {
			return fmt.Errorf("JetStream: %w", err)
		}
		stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name:              streamName(name),
			Subjects:          []string{storePrefix + name + ".>"},
			MaxMsgsPerSubject: int64(size),
			MaxAge:            age,
			Discard:           jetstream.DiscardOld,
			Duplicates:        min(age, 2*time.Second),
			Storage:           storage,
			Replicas:          max(e.Store.Replicas, 1),
			RePublish:         &jetstream.RePublish{Source: storePrefix + name + ".>", Destination: name + ".>"},
			AllowDirect:       true,
		})
		if err != nil {
			return fmt.Errorf("stream of %s: %w", name, err)
		}
		info = stream.CachedInfo()
		return nil
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.groups[name] = group{info.Config.Name, size, age, epoch(info.Created)}
	return nil
}

func epoch(created time.Time) string { return strconv.FormatInt(created.UnixNano(), 36) }

// streamName returns a name for the stream of a group, without dots and short
// enough for a directory.
func streamName(group string) string {
	if len(group) <= 100 {
		return strings.ReplaceAll(group, ".", "_")
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(group)) // never fails
	return fmt.Sprintf("history_%x", h.Sum(nil))
}

// groupOf returns the group of a subject.
func (e *Engine) groupOf(subject string) (name string, g group, err error) {
	name = subject[:max(strings.LastIndexByte(subject, '.'), 0)]
	e.mu.Lock()
	defer e.mu.Unlock()
	g, ok := e.groups[name]
	switch {
	case e.state != stateStarted || !e.conn.IsConnected():
		return name, g, cluster.ErrDown
	case !ok:
		return name, g, fmt.Errorf("nats: no Keep for the group of subject %s", subject)
	}
	return name, g, nil
}

// keepAgain creates streams that are gone, such as those in the memory of a
// server that restarted.
func (e *Engine) keepAgain() {
	e.mu.Lock()
	groups := make(map[string]group, len(e.groups))
	for name, g := range e.groups {
		groups[name] = g
	}
	e.mu.Unlock()
	for name, g := range groups {
		_ = e.create(context.Background(), name, g.size, g.age) // Append and Read report errors
	}
}

// Append implements [cluster.Log]. After an error that is not ErrDown the message
// may be stored.
func (e *Engine) Append(ctx context.Context, subject string, data []byte) error {
	name, g, err := e.groupOf(subject)
	if err != nil {
		return err
	}
	err = e.store(ctx, subject, data)
	if errors.Is(err, nats.ErrNoResponders) { // the stream is gone, or has no leader
		if err := e.Keep(ctx, name, g.size, g.age); err != nil {
			return err
		}
		err = e.store(ctx, subject, data)
	}
	return err
}

// store publishes to the stream and waits until it has the message.
func (e *Engine) store(ctx context.Context, subject string, data []byte) error {
	reply, err := e.request(ctx, storePrefix+subject, data)
	if err != nil {
		return err
	}
	var ack struct {
		Error  *jetstream.APIError `json:"error"`
		Stream string              `json:"stream"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return fmt.Errorf("nats: answer of the stream: %w", err)
	}
	if ack.Error != nil {
		return fmt.Errorf("nats: store: %w", ack.Error)
	}
	return nil
}

// linked returns the context of the current connection.
func (e *Engine) linked() context.Context {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.link
}

// relink ends the requests that wait for an answer over a broken connection.
func (e *Engine) relink() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unlink()
	e.link, e.unlink = context.WithCancel(context.Background())
	if e.state == stateClosed {
		e.unlink()
	}
}

// stored delivers a message that the leader of a stream has republished. It
// reports whether m is one.
func (e *Engine) stored(m *nats.Msg, ev cluster.Events) bool {
	if m.Header.Get(jetstream.StreamHeader) == "" {
		return false
	}
	_, g, err := e.groupOf(m.Subject)
	if err != nil {
		return true // the message is read from the log later
	}
	at, err := position(m.Header, g.epoch)
	prev, err2 := strconv.ParseUint(m.Header.Get(jetstream.LastSequenceHeader), 10, 64)
	if err != nil || err2 != nil {
		ev.Dropped(m.Subject)
		return true
	}
	ev.Stored(m.Subject, at, prev, m.Data)
	return true
}

// position returns the position of a stored message from its header.
func position(h nats.Header, epoch string) (at cluster.Position, err error) {
	at.Epoch = epoch
	at.Seq, err = strconv.ParseUint(h.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return at, fmt.Errorf("nats: number of a stored message: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, h.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return at, fmt.Errorf("nats: time of a stored message: %w", err)
	}
	at.Time = stored.UnixNano()
	return at, nil
}
