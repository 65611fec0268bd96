package httpgate

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A link is the HTTP side of one session: it sends the calls of requests and
// distributes the replies. All methods may be called concurrently.
type link struct {
	conn  net.Conn
	limit int // bytes of a frame that the session reads

	writing sync.Mutex // serialises frames; held while the session reads one

	known atomic.Bool // the session has said hello

	mu      sync.Mutex // guards the following
	calls   map[int32]chan *message.Message
	seq     int32
	leaving bool // the peer shuts down: no more calls
	closed  bool
	refusal *message.Status // the answer to the credentials

	streams  map[int32]*linkStream // open ones, by id
	streamID int32

	proving sync.Mutex // held while the session is asked about streams; guards the following
	proven  bool
}

var errLinkClosed = errors.New("httpgate: the session has ended")

// newLink opens a session of host for the client of c, whose credentials are
// token. ended is called after the session has ended, unless newLink fails.
func newLink(host proto.Host, c *conn, token string, ended func()) (*link, *message.Status) {
	ours, theirs := net.Pipe()
	l := &link{conn: ours, limit: host.Bounds().Message, calls: map[int32]chan *message.Message{}}
	l.seq = wire.DrawSeq()
	head, err := credentials(token)
	if err != nil {
		return nil, message.NewStatusByCodeText(message.CodeBadMessage, err, false)
	}
	opened, read := make(chan bool, 1), make(chan struct{})
	go func() {
		l.read()
		close(read)
		if <-opened {
			ended()
		}
	}()
	st := host.Open(&end{theirs, c, head}, newInner)
	opened <- st.OK()
	if st.OK() {
		return l, nil
	}
	_ = ours.Close() // the session has closed its end
	<-read
	if l.refusal != nil {
		st = l.refusal
	}
	return nil, st
}

// credentials returns the message that a bearer of package auth would send.
func credentials(token string) ([]byte, error) {
	m := message.New(message.WithBody(token), message.WithBodyCodec(codec.ID_JSON))
	m.SetMtype(message.TypeAuthCall)
	return rawproto.New().Pack(nil, m)
}

// close ends the session.
func (l *link) close() { _ = l.conn.Close() } // in memory, it can't fail

// read distributes replies until the session ends.
func (l *link) read() {
	defer l.end()
	r := bufio.NewReader(l.conn)
	p := rawproto.New()
	for {
		m := message.New()
		if err := p.Unpack(r, m, math.MaxInt32); err != nil {
			return
		}
		switch m.Mtype() {
		case message.TypeReply:
			l.mu.Lock()
			ch := l.calls[m.Seq()]
			delete(l.calls, m.Seq())
			l.mu.Unlock()
			if ch != nil {
				ch <- m
			}
		case message.TypeAuthReply:
			if st := m.Status(); !st.OK() {
				l.refusal = st
			}
		case message.TypePush:
			switch m.ServiceMethod() {
			case wire.ControlGoAway:
				l.leave()
			case wire.ControlHello:
				l.known.Store(true)
			}
		case message.TypeStreamData, message.TypeStreamFull, message.TypeStreamEnd, message.TypeStreamCredit:
			l.streamFrame(m)
		}
	}
}

// end fails the calls that wait: their channels get nil.
func (l *link) end() {
	_ = l.conn.Close() // in memory, it can't fail
	l.mu.Lock()
	l.closed = true
	for seq, ch := range l.calls {
		delete(l.calls, seq)
		ch <- nil
	}
	streams := slices.Collect(maps.Values(l.streams))
	l.mu.Unlock()
	for _, s := range streams {
		s.finish(message.NewStatusByCodeText(message.CodeShuttingDown, errLinkClosed, false))
	}
}

// over reports whether the session has ended.
func (l *link) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// idleLocked reports whether no call waits and no stream is open.
func (l *link) idleLocked() bool { return len(l.calls) == 0 && len(l.streams) == 0 }

// leave refuses further calls, and sends a bye after the last.
func (l *link) leave() {
	l.mu.Lock()
	l.leaving = true
	bye := l.idleLocked()
	l.mu.Unlock()
	if bye {
		go l.control(wire.ControlBye, 0) // the reader must not wait for the session
	}
}

// enter registers a call.
func (l *link) enter() (seq int32, ch chan *message.Message, st *message.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return 0, nil, message.NewStatusByCodeText(message.CodeShuttingDown, errLinkClosed, false)
	case l.leaving:
		return 0, nil, message.NewStatusByCodeText(message.CodeShuttingDown, "httpgate: the server is shutting down; the call was not executed", false)
	}
	for used := true; used; _, used = l.calls[l.seq] {
		if l.seq == math.MaxInt32 {
			l.seq = 0
		}
		l.seq++
	}
	ch = make(chan *message.Message, 1)
	l.calls[l.seq] = ch
	return l.seq, ch, nil
}

// exit removes a call, and sends a bye if it was the last one of a link that is
// leaving.
func (l *link) exit(seq int32) {
	l.mu.Lock()
	delete(l.calls, seq)
	bye := l.leaving && !l.closed && l.idleLocked()
	l.mu.Unlock()
	if bye {
		l.control(wire.ControlBye, 0)
	}
}

// call sends a CALL and waits for the reply. After ctx has ended and grace has
// passed, the handler's context ends. call still waits for the reply, because a
// client may have closed only its sending side.
func (l *link) call(ctx context.Context, m *message.Message, grace time.Duration) (reply *message.Message, st *message.Status) {
	seq, ch, st := l.enter()
	if st != nil {
		return nil, st
	}
	defer l.exit(seq)
	m.SetSeq(seq)
	mark(m, ctx)
	if !l.known.Load() { // a session accepts control messages only after that
		m.Meta().Set(wire.MetaHello, strconv.FormatInt(int64(seq), 10))
	}
	if st := l.send(m); st != nil {
		return nil, st
	}
	select {
	case reply = <-ch:
	case <-ctx.Done():
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case reply = <-ch:
		case <-t.C:
			l.control(wire.ControlCancel, seq)
			reply = <-ch
		}
	}
	if reply == nil {
		return nil, message.NewStatusByCodeText(message.CodeShuttingDown, errLinkClosed, false)
	}
	return reply, nil
}

// push sends a PUSH.
func (l *link) push(m *message.Message) *message.Status {
	seq, _, st := l.enter() // so that the peer does not leave before it is sent
	if st != nil {
		return st
	}
	defer l.exit(seq)
	m.SetSeq(seq)
	return l.send(m)
}

// mark makes the deadline of ctx that of the handler's context.
func mark(m *message.Message, ctx context.Context) {
	left, own := int64(0), m.Meta().Has(wire.MetaTimeout)
	if own {
		left, _ = strconv.ParseInt(m.Meta().Get(wire.MetaTimeout), 10, 40) // 0 if it is not a number
	}
	if end, ok := ctx.Deadline(); ok {
		if ms := max(1, time.Until(end).Milliseconds()); left <= 0 || ms < left {
			left = ms
		}
	}
	m.Meta().Set(wire.MetaTimeout, strconv.FormatInt(max(left, 0), 10))
}

func (l *link) control(method string, seq int32) {
	m := message.New(message.WithServiceMethod(method))
	m.SetMtype(message.TypePush)
	m.SetSeq(seq)
	_ = l.send(m) // fails only if the session has ended
}

func (l *link) send(m *message.Message) *message.Status {
	frame, err := rawproto.New().Pack(m.Storage(0), m)
	switch {
	case errors.Is(err, rawproto.ErrMethodTooLong), errors.Is(err, rawproto.ErrMetaTooLong):
		return message.NewStatusByCodeText(message.CodeTooLarge, err, false)
	case err != nil:
		return message.NewStatusByCodeText(message.CodeBadMessage, err, false)
	}
	if l.limit > 0 && len(frame) > l.limit {
		return message.NewStatusByCodeText(message.CodeTooLarge, proto.ErrTooLarge, false)
	}
	m.Keep(frame)
	l.writing.Lock()
	defer l.writing.Unlock()
	if _, err := l.conn.Write(frame); err != nil {
		return message.NewStatusByCodeText(message.CodeShuttingDown, errLinkClosed, false)
	}
	return nil
}
