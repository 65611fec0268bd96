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

// servers answers requests about a stream. The caller can't choose the server
// that answers, and different servers may answer two requests.
type servers interface {
	// request returns an answer that is a single message.
	request(ctx context.Context, subject string, data []byte) (*nats.Msg, error)
	// gather returns an answer of several messages; the last one has a status.
	gather(ctx context.Context, subject string, data []byte) ([]*nats.Msg, error)
}

const (
	apiInfo   = "$JS.API.STREAM.INFO."
	apiDirect = "$JS.API.DIRECT.GET."
)

// codeNoStream is the error of JetStream for a stream that does not exist.
const codeNoStream = 10059

var (
	errTorn  = errors.New("nats: a part of the server's answer is missing")
	errLags  = errors.New("nats: the answering server lags behind another server of the stream")
	errAlone = errors.New("nats: the answering server is not connected to the majority")
)

// A reading reads one subject of a stream from its servers.
type reading struct {
	servers
	group
	subject string // with storePrefix
}

// A streamState is the state of a stream and of the subject, as reported by one
// server.
type streamState struct {
	epoch    string
	now      time.Time // time of the report, not before any message
	last     uint64    // number of the last message of any subject
	lastTime time.Time // time when it was stored
	kept     uint64    // messages of all subjects
	count    uint64    // messages of the subject
	followed bool      // the server is connected to the majority
}

// heardLately is the time within which a leader must have heard from its
// followers, which answer at least once a second.
const heardLately = 3 * time.Second

// state asks the leader for the state of the stream. A leader that was replaced
// also answers until it knows.
func (r *reading) state(ctx context.Context) (s streamState, err error) {
	body, err := json.Marshal(map[string]string{"subjects_filter": r.subject})
	if err != nil {
		return s, fmt.Errorf("nats: %w", err)
	}
	m, err := r.request(ctx, apiInfo+r.stream, body)
	if err != nil {
		return s, err
	}
	var info struct {
		Error   *jetstream.APIError `json:"error"`
		Created time.Time           `json:"created"`
		Now     time.Time           `json:"ts"`
		State   struct {
			Messages uint64            `json:"messages"`
			LastSeq  uint64            `json:"last_seq"`
			LastTime time.Time         `json:"last_ts"`
			Subjects map[string]uint64 `json:"subjects"`
		} `json:"state"`
		Cluster *struct {
			Leader   string `json:"leader"`
			Replicas []struct {
				Active time.Duration `json:"active"` // 0: never heard
			} `json:"replicas"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return s, fmt.Errorf("nats: state of stream %s: %w", r.stream, err)
	}
	if info.Error != nil {
		return s, fmt.Errorf("nats: state of stream %s: %w", r.stream, info.Error)
	}
	s = streamState{
		epoch: epoch(info.Created), now: info.Now, last: info.State.LastSeq, lastTime: info.State.LastTime,
		kept: info.State.Messages, count: info.State.Subjects[r.subject], followed: true,
	}
	if s.lastTime.After(s.now) { // taken from the clock of another server
		s.now = s.lastTime
	}
	if c := info.Cluster; c != nil {
		if c.Leader == "" {
			return s, errAlone
		}
		heard := 1 // itself
		for _, other := range c.Replicas {
			if other.Active > 0 && other.Active < heardLately {
				heard++
			}
		}
		s.followed = heard > (len(c.Replicas)+1)/2
	}
	return s, nil
}

// newest asks for the newest message of the subject. upTo is the number of the
// last message of the stream, as far as the answering server knows. ok is false
// if that server has no message of the subject.
func (r *reading) newest(ctx context.Context, epoch string) (at cluster.Position, upTo uint64, ok bool, err error) {
	entries, end, err := r.direct(ctx, epoch, map[string]any{"multi_last": []string{r.subject}})
	if err != nil || len(entries) == 0 {
		return at, 0, false, err
	}
	upTo, err = strconv.ParseUint(end.Get("Nats-UpTo-Sequence"), 10, 64)
	if err != nil {
		return at, 0, false, fmt.Errorf("nats: newest message in stream %s: %w", r.stream, err)
	}
	return entries[0].At, upTo, true, nil
}

// from reads messages of the subject, or of all subjects if it is "", starting
// at number seq. more is the number of messages that follow them.
func (r *reading) from(ctx context.Context, epoch, subject string, seq uint64, limit, bytes int) (entries []cluster.Entry, more int, err error) {
	what := map[string]any{"batch": limit, "max_bytes": bytes, "seq": max(seq, 1)}
	if subject != "" {
		what["next_by_subj"] = subject
	}
	entries, end, err := r.direct(ctx, epoch, what)
	if err != nil || len(entries) == 0 {
		return nil, 0, err
	}
	more, err = strconv.Atoi(end.Get("Nats-Num-Pending"))
	if err != nil {
		return nil, 0, fmt.Errorf("nats: messages of stream %s: %w", r.stream, err)
	}
	return entries, more, nil
}

// direct asks a server that has the stream for messages. Each message names the
// previous one of the answer, and the end names the last one, because a broken
// route may lose some of them.
func (r *reading) direct(ctx context.Context, epoch string, what map[string]any) (entries []cluster.Entry, end nats.Header, err error) {
	body, err := json.Marshal(what)
	if err != nil {
		return nil, nil, fmt.Errorf("nats: %w", err)
	}
	answer, err := r.gather(ctx, apiDirect+r.stream, body)
	if err != nil {
		return nil, nil, err
	}
	n := len(answer) - 1
	end = answer[n].Header
	switch status := end.Get("Status"); {
	case status == "404" && n == 0:
		return nil, end, nil
	case status != "204":
		return nil, nil, fmt.Errorf("nats: read stream %s: status %s %s", r.stream, status, end.Get("Description"))
	}
	var last uint64
	for _, m := range answer[:n] {
		at, err := position(m.Header, epoch)
		if err != nil {
			return nil, nil, err
		}
		if !follows(m.Header, last) || at.Seq <= last {
			return nil, nil, errTorn
		}
		entries, last = append(entries, cluster.Entry{At: at, Data: m.Data}), at.Seq
	}
	if !follows(end, last) {
		return nil, nil, errTorn
	}
	return entries, end, nil
}

// follows reports whether a message of an answer follows the message with
// number last.
func follows(h nats.Header, last uint64) bool {
	named, err := strconv.ParseUint(h.Get(jetstream.LastSequenceHeader), 10, 64)
	return err == nil && named == last
}

// onLink runs f with the connection, and a context that ends with it and after flushLimit:
// the answer would be sent to a connection that is gone. It maps the error of f.
func (e *Engine) onLink(ctx context.Context, f func(ctx context.Context, conn *nats.Conn) error) error {
	conn, _ := e.started()
	if conn == nil || !conn.IsConnected() {
		return cluster.ErrDown
	}
	link := e.linked()
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	defer context.AfterFunc(link, cancel)()
	err := f(ctx, conn)
	switch {
	case err == nil:
		return nil
	case link.Err() != nil:
		return errBroken
	}
	return publishError(err)
}

// request implements [servers].
func (e *Engine) request(ctx context.Context, subject string, data []byte) (m *nats.Msg, err error) {
	err = e.onLink(ctx, func(ctx context.Context, conn *nats.Conn) error {
		m, err = conn.RequestWithContext(ctx, subject, data)
		return err
	})
	return m, err
}

// gather implements [servers].
func (e *Engine) gather(ctx context.Context, subject string, data []byte) (answer []*nats.Msg, err error) {
	err = e.onLink(ctx, func(ctx context.Context, conn *nats.Conn) error {
		answer, err = gather(ctx, conn, subject, data)
		return err
	})
	return answer, err
}

func gather(ctx context.Context, conn *nats.Conn, subject string, data []byte) (answer []*nats.Msg, err error) {
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may have ended
	if err := conn.PublishRequest(subject, inbox, data); err != nil {
		return nil, err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		answer = append(answer, m)
		if m.Header.Get("Status") != "" {
			return answer, nil
		}
	}
}

// errBroken is not ErrDown, because the request may have been executed.
var errBroken = errors.New("nats: the connection broke before the server had answered; a message may be stored or not")

// publishError maps errors of a connection to those of the cluster.
func publishError(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return cluster.ErrTooLarge
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return cluster.ErrDown
	}
	return fmt.Errorf("nats: %w", err)
}
