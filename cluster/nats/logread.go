package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/goerpc/erpc/cluster"
)

// What a stream says of itself and of one subject. Its leader answers, which knows
// everything that was stored; replicas may lag behind.
type streamState struct {
	epoch string
	now   time.Time // of the leader
	last  uint64    // number of the last message, of whatever subject
	count uint64    // messages of the subject
}

const (
	apiInfo   = "$JS.API.STREAM.INFO."
	apiGet    = "$JS.API.STREAM.MSG.GET."
	apiDirect = "$JS.API.DIRECT.GET."
)

// codes of errors of JetStream
const (
	codeNoStream  = 10059
	codeNoMessage = 10037
)

// look asks the leader for the state of the stream of a subject, and makes the stream
// if it is gone.
func (e *Engine) look(ctx context.Context, subject string) (s streamState, g group, err error) {
	name, g, err := e.groupOf(subject)
	if err != nil {
		return s, g, err
	}
	s, err = e.info(ctx, g.stream, subject)
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeNoStream {
		if err := e.Keep(ctx, name, g.size, g.age); err != nil {
			return s, g, err
		}
		s, err = e.info(ctx, g.stream, subject)
	}
	if err != nil {
		return s, g, err
	}
	e.mu.Lock()
	g.epoch = s.epoch
	e.groups[name] = g
	e.mu.Unlock()
	return s, g, nil
}

// info asks for the state of a stream.
func (e *Engine) info(ctx context.Context, stream, subject string) (s streamState, err error) {
	body, err := json.Marshal(map[string]string{"subjects_filter": storePrefix + subject})
	if err != nil {
		return s, fmt.Errorf("nats: %w", err)
	}
	m, err := e.request(ctx, apiInfo+stream, body)
	if err != nil {
		return s, err
	}
	var info struct {
		Error   *jetstream.APIError `json:"error"`
		Created time.Time           `json:"created"`
		Now     time.Time           `json:"ts"`
		State   struct {
			LastSeq  uint64            `json:"last_seq"`
			Subjects map[string]uint64 `json:"subjects"`
		} `json:"state"`
	}
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return s, fmt.Errorf("nats: state of stream %s: %w", stream, err)
	}
	if info.Error != nil {
		return s, fmt.Errorf("nats: state of stream %s: %w", stream, info.Error)
	}
	return streamState{epoch(info.Created), info.Now, info.State.LastSeq, info.State.Subjects[storePrefix+subject]}, nil
}

// Top implements [cluster.Log].
func (e *Engine) Top(ctx context.Context, subject string) (cluster.Position, error) {
	s, _, err := e.look(ctx, subject)
	return cluster.Position{Epoch: s.epoch, Seq: s.last, Time: s.now.UnixNano()}, err
}

// staleTries is how often Read asks again when a replica does not have what the
// leader has.
const staleTries = 10

// A leader that does not have a position may have lost its tail, or be one that was
// replaced while the routes to it were cut and does not know it yet. Only the first is
// still so after a while.
const (
	leaderTries = 4
	leaderPause = 500 * time.Millisecond
)

// Read implements [cluster.Log].
func (e *Engine) Read(ctx context.Context, subject string, since cluster.Position, limit int) (page cluster.Page, err error) {
	s, g, err := e.look(ctx, subject)
	if err != nil {
		return page, err
	}
	for range leaderTries {
		if since.Epoch != s.epoch || since.Seq <= s.last {
			break
		}
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(leaderPause):
		}
		s, g, err = e.look(ctx, subject)
		if err != nil {
			return page, err
		}
	}
	page.Top = cluster.Position{Epoch: s.epoch, Seq: s.last, Time: s.now.UnixNano()}
	if since.Epoch != s.epoch || since.Seq > s.last {
		return page, nil
	}
	page.Complete, err = e.complete(ctx, subject, since, s, g)
	if err != nil || !page.Complete || s.count == 0 {
		return page, err
	}
	newest, ok, err := e.leaderGet(ctx, g.stream, map[string]any{"last_by_subj": storePrefix + subject})
	if err != nil || !ok || newest.Seq <= since.Seq {
		return page, err
	}
	for range staleTries {
		page.Entries, page.More, err = e.direct(ctx, g, subject, since.Seq+1, limit)
		if err != nil {
			return page, err
		}
		n := len(page.Entries)
		switch {
		case page.More:
			page.Top = page.Entries[n-1].At
			return page, nil
		case n > 0 && page.Entries[n-1].At.Seq >= newest.Seq:
			page.Top.Seq = max(page.Top.Seq, page.Entries[n-1].At.Seq)
			return page, nil
		}
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return page, fmt.Errorf("nats: stream %s: the replica that answers lags behind its leader; try again", g.stream)
}

// A kept is a message as the leader returns it.
type kept struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
}

// leaderGet asks the leader of a stream for one message.
func (e *Engine) leaderGet(ctx context.Context, stream string, what map[string]any) (k kept, ok bool, err error) {
	body, err := json.Marshal(what)
	if err != nil {
		return k, false, fmt.Errorf("nats: %w", err)
	}
	m, err := e.request(ctx, apiGet+stream, body)
	if err != nil {
		return k, false, err
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message kept                `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &got); err != nil {
		return k, false, fmt.Errorf("nats: message of stream %s: %w", stream, err)
	}
	switch {
	case got.Error == nil:
		return got.Message, true, nil
	case got.Error.ErrorCode == codeNoMessage:
		return k, false, nil
	}
	return k, false, fmt.Errorf("nats: message of stream %s: %w", stream, got.Error)
}

// ageMargin is how much sooner than its age a message counts as gone, because the
// clocks of nodes and servers differ.
const ageMargin = 10 * time.Second

// complete reports whether the stream has everything that the subject got after
// since. A number says nothing by itself: after a loss of power a stream may give it
// again. So the message that has it must not be younger than the position.
func (e *Engine) complete(ctx context.Context, subject string, since cluster.Position, s streamState, g group) (bool, error) {
	if since.Seq > 0 {
		m, ok, err := e.leaderGet(ctx, g.stream, map[string]any{"seq": since.Seq})
		switch {
		case err != nil:
			return false, err
		case ok && m.Time.UnixNano() > since.Time:
			return false, nil // the tail was lost, and the number given again
		case ok && m.Subject == storePrefix+subject:
			return true, nil // of one subject the oldest go first
		}
	}
	if time.Since(time.Unix(0, since.Time)) > max(g.age-ageMargin, g.age/2) {
		return false, nil
	}
	if s.count < uint64(g.size) {
		return true, nil
	}
	oldest, ok, err := e.leaderGet(ctx, g.stream, map[string]any{"seq": 1, "next_by_subj": storePrefix + subject})
	return ok && oldest.Seq <= since.Seq, err
}

// maxRead is how many bytes one reading returns: about what the queue of a slow member
// takes.
const maxRead = 1 << 20

// direct reads messages of a subject from seq on, at once.
func (e *Engine) direct(ctx context.Context, g group, subject string, seq uint64, limit int) (entries []cluster.Entry, more bool, err error) {
	conn, _ := e.started()
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	body, err := json.Marshal(map[string]any{"batch": limit, "max_bytes": maxRead, "seq": seq, "next_by_subj": storePrefix + subject})
	if err != nil {
		return nil, false, fmt.Errorf("nats: %w", err)
	}
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, false, publishError(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may have ended
	if err := conn.PublishRequest(apiDirect+g.stream, inbox, body); err != nil {
		return nil, false, publishError(err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, false, publishError(err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // the end, or no message at all
			pending, _ := strconv.Atoi(m.Header.Get("Nats-Num-Pending")) // absent: 0
			return entries, pending > 0 && len(entries) > 0, nil
		default:
			return nil, false, fmt.Errorf("nats: read stream %s: status %s %s", g.stream, status, m.Header.Get("Description"))
		}
		at, err := position(m.Header, g.epoch)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, cluster.Entry{At: at, Data: m.Data})
	}
}

// publishError makes the errors of the cluster of those of a connection.
func publishError(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return cluster.ErrTooLarge
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return cluster.ErrDown
	}
	return fmt.Errorf("nats: %w", err)
}
