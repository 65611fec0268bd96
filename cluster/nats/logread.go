package nats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/goerpc/erpc/cluster"
)

// How a log is read. Any server that has the stream may answer a request: the
// leader, a replica that lags behind it, or a leader that was replaced while
// its routes were cut and does not know it yet. So two answers may not fit
// together: one may say that the stream has 222 messages, and another that the
// newest message of the room is number 197. But each answer describes the log
// at some time, and a log only grows at its end and loses messages at its
// beginning. So each conclusion is drawn from a single answer:
//
//   - [reading.newest] concludes from an answer with both numbers that the room has
//     no message between its newest and the last of the stream.
//   - [reading.after] concludes from one answer that no message after the position
//     was removed, and which messages there are.
//
// The state, which the leader returns first, only says how far the other answers
// must reach.

// patience is how long Read waits for servers that lag, and for leaders that
// don't know yet that they were replaced.
const patience = 2 * time.Second

// The pauses between attempts grow from firstPause to lastPause.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// Read implements [cluster.Log].
func (e *Engine) Read(ctx context.Context, subject string, since cluster.Position, limit int) (page cluster.Page, err error) {
	err = e.ask(ctx, subject, func(r *reading) (cluster.Position, error) {
		page, err = r.page(ctx, since, limit)
		return page.Top, err
	})
	return page, err
}

// Top implements [cluster.Log].
func (e *Engine) Top(ctx context.Context, subject string) (top cluster.Position, err error) {
	err = e.ask(ctx, subject, func(r *reading) (cluster.Position, error) {
		s, err := r.state(ctx)
		if err == nil {
			top = s.top()
		}
		return top, err
	})
	return top, err
}

func (s streamState) top() cluster.Position {
	return cluster.Position{Epoch: s.epoch, Seq: s.last, Time: s.now.UnixNano()}
}

// ask runs f for a subject, and again if the stream had to be created. It
// stores the epoch of the position that f returns.
func (e *Engine) ask(ctx context.Context, subject string, f func(*reading) (cluster.Position, error)) error {
	name, g, err := e.groupOf(subject)
	if err != nil {
		return err
	}
	r := &reading{e, g, storePrefix + subject}
	at, err := f(r)
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeNoStream {
		if err := e.Keep(ctx, name, g.size, g.age); err != nil {
			return err
		}
		at, err = f(r)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.groups[name]
	now.epoch = at.Epoch
	e.groups[name] = now
	return nil
}

// errBeyond means that the log of the answering server ends before the
// position.
var errBeyond = errors.New("nats: the log ends before the position")

// page reads the messages after a position, as soon as the servers agree.
func (r *reading) page(ctx context.Context, since cluster.Position, limit int) (page cluster.Page, err error) {
	end := time.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		page, err = r.once(ctx, since, limit)
		switch {
		case !errors.Is(err, errTorn) && !errors.Is(err, errLags) && !errors.Is(err, errAlone) && !errors.Is(err, errBeyond):
			return page, err
		case time.Now().Before(end):
		case errors.Is(err, errBeyond): // a leader with followers has said so the whole time
			return page, nil
		default:
			return cluster.Page{}, err
		}
		select {
		case <-ctx.Done():
			return cluster.Page{}, errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// once makes one attempt at page, with the servers that happen to answer.
func (r *reading) once(ctx context.Context, since cluster.Position, limit int) (page cluster.Page, err error) {
	s, err := r.state(ctx)
	if err != nil {
		return page, err
	}
	page.Top = s.top()
	switch {
	case since.Epoch != s.epoch:
		return page, nil
	case since.Seq > s.last && !s.followed:
		return page, errAlone
	case since.Seq > s.last:
		return page, errBeyond
	case since.Seq == s.last:
		page.Complete = !s.lastTime.After(time.Unix(0, since.Time)) // otherwise the number was assigned again
		return page, nil
	case s.count == 0:
		page.Complete, err = r.unforgotten(ctx, since, s, 0)
		return page, err
	}
	newest, upTo, ok, err := r.newest(ctx, s.epoch)
	switch {
	case err != nil:
		return page, err
	case !ok || upTo < s.last:
		return page, errLags
	case newest.Seq <= since.Seq: // it still exists, so later messages would exist, too
		page.Complete, err = r.same(ctx, since, s, newest)
		return page, err
	}
	if newest.Seq > s.last { // the leader lags
		page.Top = newest
	}
	entries, more, complete, err := r.after(ctx, since, s, limit)
	if err != nil || !complete {
		return page, err
	}
	n := len(entries)
	switch {
	case n == 0, !more && entries[n-1].At.Seq < newest.Seq:
		return page, errLags
	case more || entries[n-1].At.Seq > s.last:
		page.Top = entries[n-1].At
	}
	page.Entries, page.More, page.Complete = entries, more, true
	return page, nil
}

// maxRead is how many bytes one read returns, about the size of a slow member's
// queue.
const maxRead = 1 << 20

// after reads the messages after a position. The answer begins at the position
// itself, and so shows whether messages in between were removed: if the message
// at the position still exists, none were, because the oldest messages of a
// subject are removed first.
func (r *reading) after(ctx context.Context, since cluster.Position, s streamState, limit int) (entries []cluster.Entry, more, complete bool, err error) {
	all, left, err := r.from(ctx, s.epoch, r.subject, since.Seq, limit+1, maxRead)
	if len(all) == 1 && left > 0 && all[0].At.Seq == since.Seq { // it fills the answer alone
		all, left, err = r.from(ctx, s.epoch, r.subject, since.Seq, limit+1, maxRead+len(r.subject)+len(all[0].Data))
	}
	switch {
	case err != nil:
		return nil, false, false, err
	case len(all) == 0:
		return nil, false, true, nil // the server lags
	case all[0].At.Seq == since.Seq:
		complete, err = r.same(ctx, since, s, all[0].At)
		all = all[1:]
	default:
		complete, err = r.unforgotten(ctx, since, s, len(all)+left)
	}
	if len(all) > limit {
		all, left = all[:limit], left+1
	}
	return all, left > 0, complete, err
}

// ageMargin is how long before the maximum age a message counts as removed,
// because the clocks of nodes and servers differ.
const ageMargin = 10 * time.Second

// unforgotten reports whether no message of the subject after since was
// removed, given the number of newer messages in one answer. It is called if
// the message at since was removed or belongs to another subject.
func (r *reading) unforgotten(ctx context.Context, since cluster.Position, s streamState, newer int) (bool, error) {
	if s.now.Sub(time.Unix(0, since.Time)) > max(r.age-ageMargin, r.age/2) || newer >= r.size {
		return false, nil
	}
	return r.same(ctx, since, s, cluster.Position{})
}

// same reports whether the number of a position still belongs to the same
// message: after a power failure a stream may assign it again to a newer one.
// at is the position of a message that may have the number.
func (r *reading) same(ctx context.Context, since cluster.Position, s streamState, at cluster.Position) (bool, error) {
	if at.Seq != since.Seq {
		if since.Seq == 0 || s.kept == 0 {
			return true, nil // there is nothing to compare with
		}
		entries, _, err := r.from(ctx, s.epoch, "", since.Seq, 1, 1)
		switch {
		case err != nil:
			return false, err
		case len(entries) == 0: // the last message of a stream is removed last
			return false, errLags
		}
		at = entries[0].At
	}
	return at.Seq != since.Seq || at.Time <= since.Time, nil
}
