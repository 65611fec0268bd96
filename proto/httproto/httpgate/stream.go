package httpgate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
)

const (
	streamChunk = 64 << 10               // bytes of one message of a body that is sent as it is
	firstWait   = 500 * time.Millisecond // for the first message, before the header is sent
	keepAlive   = 15 * time.Second       // between two comments of a quiet event stream
)

// The forms of the messages that a handler of streams sends.
const (
	formLines  = "application/x-ndjson"     // one JSON value a line
	formEvents = "text/event-stream"        // Server-Sent Events
	formBytes  = "application/octet-stream" // the messages as they are, one after another
)

// serveStream answers a request to a method that has a handler of streams. The body
// has the messages of the opener: a single one, one for each line of NDJSON, or
// chunks of a body that no codec handles. The answer has the messages of the handler,
// in the form that the client accepts. A client that goes away ends the handler's
// context, and a slow one holds the handler back.
func (q *request) serveStream(l *link) {
	m := message.New(message.WithServiceMethod(q.method), message.WithBodyCodec(codec.ID_JSON))
	q.setMeta(m.Meta())
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	s, st := l.open(ctx, m, q.h.memory)
	if !st.OK() {
		q.answerStatus(st)
		return
	}
	defer s.close(status(message.CodeCanceled, "the client is gone"))
	control := http.NewResponseController(q.w)
	_ = control.EnableFullDuplex() // always so in HTTP/2
	sent := make(chan struct{})
	body := &watchedBody{timed: timed{q}}
	go func() {
		defer close(sent)
		q.sendStream(ctx, s, body)
	}()
	q.receiveStream(ctx, s)
	cancel()
	look := time.NewTicker(maxBlocked)
	defer look.Stop()
	for blocked := false; ; {
		select {
		case <-sent:
			return
		case <-look.C:
			if blocked && body.reading.Load() { // the client sends nothing, and the handler has returned
				_ = control.SetReadDeadline(time.Unix(1, 0)) // the connection can't be used after that
			}
			blocked = body.reading.Load()
		}
	}
}

// maxBlocked is about how long the connection is kept, after the handler has
// returned, for a client that still sends its body slowly.
const maxBlocked = 100 * time.Millisecond

// A watchedBody tells whether a goroutine waits in its Read. Such a read must be
// interrupted before the request ends. Interrupting when no read waits would break
// the connection for the next request.
type watchedBody struct {
	timed
	reading atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.reading.Store(true)
	defer b.reading.Store(false)
	return b.timed.Read(p)
}

// sendStream sends the body of the request to the handler as messages.
func (q *request) sendStream(ctx context.Context, s *linkStream, body io.Reader) {
	err := q.sendMessages(ctx, s, body)
	switch {
	case err == nil:
		s.closeSend()
	case errors.Is(err, io.EOF): // the handler has returned
	default:
		s.close(message.NewStatusByCodeText(message.CodeBadMessage, err, false))
	}
}

func (q *request) sendMessages(ctx context.Context, s *linkStream, body io.Reader) error {
	contentType, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil {
		contentType = ""
	}
	id, known := CodecOf([]byte(contentType))
	switch {
	case q.Method == http.MethodGet || q.Method == http.MethodHead:
		if form := q.parameters(); len(form) > 0 {
			return s.sendBody(ctx, codec.ID_FORM, form)
		}
		return nil
	case contentType == formLines:
		return sendLines(ctx, s, body, q.h.bounds.Message)
	case contentType != "" && contentType != formBytes && known:
		b, ref := q.body()
		if ref != nil {
			return ref.st.Err()
		}
		return s.sendBody(ctx, id, b)
	}
	return sendChunks(ctx, s, body)
}

// sendLines sends each line as a message and skips empty ones.
func sendLines(ctx context.Context, s *linkStream, body io.Reader, limit int) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, max(limit, bufio.MaxScanTokenSize))
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := s.sendBody(ctx, codec.ID_JSON, line); err != nil {
			return err
		}
	}
	return lines.Err()
}

// sendChunks sends the bytes as they arrive.
func sendChunks(ctx context.Context, s *linkStream, body io.Reader) error {
	chunk := make([]byte, streamChunk)
	for {
		n, err := io.ReadFull(body, chunk)
		if n > 0 {
			if sendErr := s.sendBody(ctx, codec.NilCodecID, chunk[:n]); sendErr != nil {
				return sendErr
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// receiveStream writes the messages of the handler to the client.
func (q *request) receiveStream(ctx context.Context, s *linkStream) {
	first, stop := context.WithTimeout(ctx, firstWait)
	m, err := s.take(first)
	stop()
	waiting := err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded)
	if err != nil && !waiting && !errors.Is(err, io.EOF) {
		q.answerStatus(message.FromError(err)) // nothing was written yet: an ordinary answer
		return
	}
	w := q.newStreamWriter()
	for {
		switch {
		case waiting:
			waiting = false
			w.idle()
		case errors.Is(err, io.EOF):
			w.end(nil)
			return
		case err != nil:
			w.end(message.FromError(err))
			return
		default:
			w.message(m.Raw())
		}
		if w.err != nil {
			return // the client is gone
		}
		quiet, stop := context.WithTimeout(ctx, keepAlive)
		m, err = s.take(quiet)
		waiting = err != nil && ctx.Err() == nil && quiet.Err() != nil && errors.Is(err, context.DeadlineExceeded)
		stop()
		if ctx.Err() != nil && err != nil {
			return // the client is gone
		}
	}
}

// A streamWriter writes messages in one form. After its first error it writes
// nothing.
type streamWriter struct {
	q       *request
	form    string
	control *http.ResponseController
	err     error
}

func (q *request) newStreamWriter() *streamWriter {
	w := &streamWriter{q: q, form: formLines, control: http.NewResponseController(q.w)}
	for _, accept := range q.Header["Accept"] {
		for part := range strings.SplitSeq(accept, ",") {
			media, _, err := mime.ParseMediaType(part)
			if err == nil && (media == formEvents || media == formBytes) {
				w.form = media
			}
		}
	}
	h := q.w.Header()
	h.Set("Content-Type", w.form)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a buffering proxy would hold events back
	w.extend()
	q.w.WriteHeader(http.StatusOK)
	w.flush()
	return w
}

// extend gives the client the write limit of time to take what is written next.
func (w *streamWriter) extend() {
	if d := w.q.h.bounds.Write; d > 0 {
		_ = w.control.SetWriteDeadline(time.Now().Add(d)) // not every ResponseWriter of other servers can do it
	}
}

func (w *streamWriter) write(parts ...string) {
	for _, p := range parts {
		if w.err == nil {
			w.extend()
			_, w.err = io.WriteString(w.q.w, p)
		}
	}
}

func (w *streamWriter) flush() {
	if err := w.control.Flush(); err != nil && w.err == nil {
		w.err = err
	}
	if w.q.h.bounds.Write > 0 && w.err == nil {
		_ = w.control.SetWriteDeadline(time.Time{}) // as in extend
	}
}

// message writes one message.
func (w *streamWriter) message(body []byte) {
	switch w.form {
	case formEvents:
		w.event("", body)
	case formLines:
		w.write(string(bytes.ReplaceAll(body, []byte("\n"), []byte(" "))), "\n") // a line break in JSON is white space
	default:
		w.write(string(body))
	}
	w.flush()
}

// event writes one event, whose data may have several lines.
func (w *streamWriter) event(name string, data []byte) {
	if name != "" {
		w.write("event: ", name, "\n")
	}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		w.write("data: ", strings.TrimSuffix(string(line), "\r"), "\n")
	}
	w.write("\n")
}

// idle keeps a quiet connection alive, if the form has a way to do so.
func (w *streamWriter) idle() {
	if w.form == formEvents {
		w.write(":\n\n")
		w.flush()
	}
}

// end writes how the stream ended. Bytes have no form for a failure: the
// connection is cut, so that the client does not take a part for the whole.
func (w *streamWriter) end(st *message.Status) {
	switch {
	case w.form == formEvents && st.OK():
		w.event("end", nil)
	case w.form == formEvents:
		w.event("error", encode(st))
	case st.OK():
	case w.form == formLines:
		w.write(`{"error":`, string(encode(st)), "}\n")
	default:
		panic(http.ErrAbortHandler)
	}
	w.flush()
}
