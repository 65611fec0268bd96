package httpgate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
)

// A linkStream is the HTTP side of one stream of a session.
type linkStream struct {
	link   *link
	id     int32
	window *stream.Window
	inbox  *stream.Inbox[*message.Message]
}

// prove proves to the session that this side understands streams. It does so only
// once.
func (l *link) prove(ctx context.Context) *message.Status {
	l.proving.Lock()
	defer l.proving.Unlock()
	if l.proven {
		return nil
	}
	l.mu.Lock()
	l.seq = wire.DrawSeq()
	l.mu.Unlock()
	seq, ch, st := l.enter()
	if st != nil {
		return st
	}
	defer l.exit(seq)
	m := message.New(message.WithServiceMethod(wire.ControlCaps))
	m.SetMtype(message.TypeCall)
	m.SetSeq(seq)
	m.Meta().Set(wire.MetaCaps, fmt.Sprintf("1.%d.%d", wire.CapStreams, seq))
	st = l.send(m)
	if st != nil {
		return st
	}
	select {
	case reply := <-ch:
		if reply == nil {
			return message.NewStatusByCodeText(message.CodeShuttingDown, errLinkClosed, false)
		}
		l.proven = reply.StatusOK()
		return reply.Status()
	case <-ctx.Done():
		return status(message.CodeCanceled, "the client is gone")
	}
}

// open opens a stream with m, which has its method and metadata. It must be
// closed.
func (l *link) open(ctx context.Context, m *message.Message, memory *stream.Memory) (*linkStream, *message.Status) {
	st := l.prove(ctx)
	if !st.OK() {
		return nil, st
	}
	inbox, err := stream.NewInbox[*message.Message](memory)
	if err != nil {
		return nil, message.NewStatusByCodeText(message.CodeExhausted, err, false)
	}
	s := &linkStream{link: l, window: stream.NewWindow(stream.InitialWindow, nil), inbox: inbox}
	st = l.enterStream(s)
	if st != nil {
		inbox.Abort(st.Err())
		return nil, st
	}
	m.SetMtype(message.TypeStreamOpen)
	m.SetSeq(s.id)
	mark(m, ctx)
	st = l.send(m)
	if st != nil {
		s.finish(st)
		return nil, st
	}
	return s, nil
}

// enterStream registers a stream and gives it an id.
func (l *link) enterStream(s *linkStream) *message.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.leaving {
		return message.NewStatusByCodeText(message.CodeShuttingDown, errLinkClosed, false)
	}
	if l.streams == nil {
		l.streams = map[int32]*linkStream{}
	}
	for used := true; used; _, used = l.streams[l.streamID] {
		l.streamID = max(l.streamID+1, 1)
	}
	s.id = l.streamID
	l.streams[s.id] = s
	return nil
}

// streamFrame handles a frame of a stream. It runs on the reading goroutine and
// must not wait for the session.
func (l *link) streamFrame(m *message.Message) {
	l.mu.Lock()
	s := l.streams[-m.Seq()]
	l.mu.Unlock()
	if s == nil {
		return // it has ended on this side
	}
	switch m.Mtype() {
	case message.TypeStreamData, message.TypeStreamFull:
		err := s.inbox.Put(m, stream.Charge(len(m.Raw())), m.Mtype() == message.TypeStreamFull)
		if err != nil && !errors.Is(err, stream.ErrEnded) {
			go s.close(message.NewStatusByCodeText(message.CodeExhausted, err, false))
		}
	case message.TypeStreamCredit:
		count, window, _ := strings.Cut(m.ServiceMethod(), ".")
		n, err1 := strconv.ParseUint(count, 10, 64)
		size, err2 := strconv.ParseInt(window, 10, 64)
		if err := errors.Join(err1, err2, s.window.Credit(n, size)); err != nil {
			go s.close(message.NewStatusByCodeText(message.CodeBadMessage, err, false))
		}
	case message.TypeStreamEnd:
		s.finish(m.Status())
	}
}

// finish ends the stream. Messages that have arrived can still be taken.
func (s *linkStream) finish(st *message.Status) (first bool) {
	l := s.link
	l.mu.Lock()
	first = l.streams[s.id] == s
	if first {
		delete(l.streams, s.id)
	}
	bye := first && l.leaving && !l.closed && l.idleLocked()
	l.mu.Unlock()
	if !first {
		return false
	}
	err := error(io.EOF)
	if !st.OK() {
		err = st.Err()
	}
	s.window.Close(err)
	s.inbox.Close(err)
	if bye {
		go l.control(wire.ControlBye, 0)
	}
	return true
}

// close ends the stream, if it has not ended, and the handler's context with st.
func (s *linkStream) close(st *message.Status) {
	if !s.finish(st) {
		return
	}
	s.inbox.Abort(st.Err())
	s.frame(message.TypeStreamEnd, func(m *message.Message) { m.SetStatus(st) })
}

// sendBody sends an encoded message. It waits while the handler's window is full.
func (s *linkStream) sendBody(ctx context.Context, codec byte, body []byte) error {
	full, err := s.window.Acquire(ctx, stream.Charge(len(body)))
	if err != nil {
		return err
	}
	mtype := message.TypeStreamData
	if full {
		mtype = message.TypeStreamFull
	}
	st := s.frame(mtype, func(m *message.Message) {
		m.SetBodyCodec(codec)
		m.SetBody(body)
	})
	return st.Err()
}

// closeSend tells the handler that no more messages follow.
func (s *linkStream) closeSend() {
	s.frame(message.TypeStreamEnd, func(*message.Message) {})
}

// take returns the next message, and io.EOF after the last.
func (s *linkStream) take(ctx context.Context) (*message.Message, error) {
	m, credit, due, err := s.inbox.Take(ctx)
	if due {
		s.frame(message.TypeStreamCredit, func(m *message.Message) {
			m.SetServiceMethod(fmt.Sprintf("%d.%d", credit.Count, credit.Window))
		})
	}
	return m, err
}

func (s *linkStream) frame(mtype byte, fill func(*message.Message)) *message.Status {
	m := message.New()
	m.SetMtype(mtype)
	m.SetSeq(s.id)
	fill(m)
	return s.link.send(m)
}
