package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// Call calls serviceMethod of the session with an address, on any node, and
// returns the reply. It ends when ctx ends, which cancels the handler too, or
// when the node of the session is gone. The deadline of ctx also applies to the
// handler. A failed status comes back as a [*erpc.StatusError].
func Call[R any](ctx context.Context, c *Cluster, address, serviceMethod string, arg any, settings ...erpc.MessageSetting) (*R, error) {
	e, err := c.call(ctx, address, serviceMethod, arg, settings)
	if err != nil {
		return nil, err
	}
	if e.code != erpc.CodeOK {
		var cause []any
		if len(e.body) > 0 {
			cause = []any{string(e.body)}
		}
		return nil, erpc.NewStatus(e.code, e.text, cause...).Err()
	}
	res := new(R)
	m := erpc.NewMessage(erpc.WithBodyCodec(e.codec), erpc.WithBody(res))
	if err := m.UnmarshalBody(e.body); err != nil {
		return nil, erpc.NewStatus(erpc.CodeBadMessage, erpc.CodeText(erpc.CodeBadMessage), err).Err()
	}
	return res, nil
}

// call returns the envelope of the reply.
func (c *Cluster) call(ctx context.Context, address, method string, arg any, settings []erpc.MessageSetting) (*envelope, error) {
	if c.life.is() != lifeRunning {
		return nil, ErrNotRunning
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	node, session, err := c.find(address)
	if err != nil {
		return nil, err
	}
	e, err := c.encode(kindCall, method, arg, settings)
	if err != nil {
		return nil, err
	}
	e.session = session
	if end, ok := ctx.Deadline(); ok {
		e.count = uint64(max(time.Until(end).Milliseconds(), 1))
	}
	w := &calling{node: node, reply: make(chan *envelope, 1), end: make(chan error, 1)}
	e.id = c.pending.add(w)
	defer c.pending.remove(e.id)
	to := c.subjectNode(node)
	if err := c.send(to, e.id, e); err != nil {
		return nil, err
	}
	select {
	case reply := <-w.reply:
		return reply, nil
	case err := <-w.end:
		return nil, err
	case <-ctx.Done():
		c.sendOrWarn(to, &envelope{kind: kindCancel, id: e.id})
		return nil, contextError(ctx.Err())
	}
}

func contextError(err error) error {
	code := int32(erpc.CodeCanceled)
	if err == context.DeadlineExceeded {
		code = erpc.CodeHandleTimeout
	}
	return erpc.NewStatus(code, erpc.CodeText(code), err).Err()
}

// calling waits for one reply.
type calling struct {
	node  string
	reply chan *envelope // buffered: room for the first
	end   chan error     // likewise
}

func (w *calling) answer(e *envelope) {
	select {
	case w.reply <- e:
	default: // it already has a reply
	}
}

func (w *calling) gone(node string) {
	switch node {
	case "":
		w.fail(ErrNobody)
	case w.node:
		w.fail(ErrNodeGone)
	}
}

func (w *calling) fail(err error) {
	select {
	case w.end <- err:
	default: // it has already ended
	}
}

// A servedCall identifies a call that another node has sent.
type servedCall struct {
	node string
	id   uint64
}

// served holds the calls of other nodes that run here.
type served struct {
	mu    sync.Mutex // guards the following
	m     map[servedCall]context.CancelFunc
	ended bool
}

// begin adds a call. It returns false if there are too many, or if the cluster
// is closed.
func (s *served) begin(k servedCall, cancel context.CancelFunc, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.m) >= limit {
		return false
	}
	s.m[k] = cancel
	return true
}

func (s *served) finish(k servedCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, k)
}

func (s *served) cancel(k servedCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.m[k]; cancel != nil {
		cancel()
	}
}

// end cancels every call and refuses later ones.
func (s *served) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, cancel := range s.m {
		cancel()
	}
}

// serve passes a call on to a session of this node.
func (c *Cluster) serve(e *envelope) {
	sess, ok := c.peer.GetSession(e.session)
	if !ok {
		c.reply(e, nil, 0, erpc.StatusFromError(ErrNobody))
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	if e.count > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(e.count, 1<<40))*time.Millisecond)
	}
	k := servedCall{e.node, e.id}
	if !c.served.begin(k, cancel, c.opt.MaxCalls) {
		cancel()
		c.reply(e, nil, 0, erpc.NewStatus(erpc.CodeExhausted, "cluster: the node serves too many calls"))
		return
	}
	started := c.spawn(func() {
		defer cancel()
		defer c.served.finish(k)
		var body []byte
		settings := append(e.settings(), erpc.WithContext(ctx))
		cmd := sess.Call(e.method, e.body, &body, settings...)
		c.reply(e, body, cmd.InputBodyCodec(), cmd.Status())
	})
	if !started { // Close tells the other node
		c.served.finish(k)
		cancel()
	}
}

// reply answers a call. If the engine can't carry the reply, the answer is a
// failed status.
func (c *Cluster) reply(e *envelope, body []byte, codec byte, st *erpc.Status) {
	r := &envelope{kind: kindReply, id: e.id, codec: codec, body: body}
	if !st.OK() {
		r.code, r.text, r.body = st.Code(), st.Msg(), nil
		if cause := st.Cause(); cause != nil {
			r.body = []byte(cause.Error())
		}
	}
	to := c.subjectNode(e.node)
	if err := c.send(to, 0, r); err != nil {
		failed := erpc.StatusFromError(err)
		c.sendOrWarn(to, &envelope{kind: kindReply, id: e.id, code: failed.Code(), text: failed.Msg()})
	}
}
