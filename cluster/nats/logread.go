package nats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/goerpc/erpc/cluster"
)

// How a log is read. Any server that keeps the stream may answer a question: the leader, a
// replica that lags behind it, or a leader that was replaced while the routes to it were
// cut and does not know it yet. So two answers need not fit together: that the stream has
// 222 messages, says one, and another that the newest of the room is number 197. But each is
// true of the log as it was once, and a log only grows at its end and forgets at its
// beginning. So nothing is concluded from two answers that does not follow from one of
// them:
//
//   - The room has no message between its newest and the last of the stream: from the
//     answer that has both numbers, at [reading.newest].
//   - No message after the position is forgotten, and those that are left are these: from
//     one answer, at [reading.after].
//
// The state, which the leader gives first, only says how far the other answers must reach.

// patience is how long Read waits for servers that lag, and for leaders that do not know
// yet that they were replaced.
const patience = 2 * time.Second

// Pauses grow from the first to the last.
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

// ask runs f for a subject, once more if the stream was gone, and notes the epoch of what f
// returns.
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

// errBeyond says that the position is not reached by the server that answers.
var errBeyond = errors.New("nats: the log ends before the position")

// page reads what comes after a position, as soon as the servers agree.
func (r *reading) page(ctx context.Context, since cluster.Position, limit int) (page cluster.Page, err error) {
	end := time.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		page, err = r.once(ctx, since, limit)
		switch {
		case !errors.Is(err, errTorn) && !errors.Is(err, errLags) && !errors.Is(err, errAlone) && !errors.Is(err, errBeyond):
			return page, err
		case time.Now().Before(end):
		case errors.Is(err, errBeyond): // a leader that others follow has said so all the time
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

// once is page with the servers that happen to answer.
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
		page.Complete = !s.lastTime.After(time.Unix(0, since.Time)) // else the number was given again
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
	case newest.Seq <= since.Seq: // and is kept, so whatever came later would be
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

// maxRead is how many bytes one reading returns: about what the queue of a slow member
// takes.
const maxRead = 1 << 20

// after reads messages after a position. One answer begins at the position itself, and so
// shows whether anything in between is forgotten: that is not so if the position is still
// there, as of one subject the oldest go first.
func (r *reading) after(ctx context.Context, since cluster.Position, s streamState, limit int) (entries []cluster.Entry, more, complete bool, err error) {
	all, left, err := r.from(ctx, s.epoch, r.subject, since.Seq, limit+1, maxRead)
	if len(all) == 1 && left > 0 && all[0].At.Seq == since.Seq { // it takes the whole answer
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

// ageMargin is how much sooner than its age a message counts as gone, because the
// clocks of nodes and servers differ.
const ageMargin = 10 * time.Second

// unforgotten reports whether nothing that the subject got after since is forgotten, when
// one answer has so many messages of it that are newer. It is called if the message at
// since is one of another subject, or is forgotten itself.
func (r *reading) unforgotten(ctx context.Context, since cluster.Position, s streamState, newer int) (bool, error) {
	if s.now.Sub(time.Unix(0, since.Time)) > max(r.age-ageMargin, r.age/2) || newer >= r.size {
		return false, nil
	}
	return r.same(ctx, since, s, cluster.Position{})
}

// same reports whether the number of a position stands for the message that it stood for
// when the position was made: after a loss of power a stream may give it again, to a
// younger one. at is that of a message that may have the number.
func (r *reading) same(ctx context.Context, since cluster.Position, s streamState, at cluster.Position) (bool, error) {
	if at.Seq != since.Seq {
		if since.Seq == 0 || s.kept == 0 {
			return true, nil // there is nothing to compare with
		}
		entries, _, err := r.from(ctx, s.epoch, "", since.Seq, 1, 1)
		switch {
		case err != nil:
			return false, err
		case len(entries) == 0: // the last message of the stream is not forgotten before others
			return false, errLags
		}
		at = entries[0].At
	}
	return at.Seq != since.Seq || at.Time <= since.Time, nil
}
