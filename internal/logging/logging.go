// Package logging puts erpc v7's leveled, formatted logging functions on top of
// log/slog: its nine levels, a printer that formats nothing while its level is
// off, and the process-wide default logger that peers use when they are given
// none.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"
)

// The levels of v7 on slog's scale, including slog's own four.
const (
	LevelTrace    = slog.Level(-8)
	LevelDebug    = slog.LevelDebug // -4
	LevelInfo     = slog.LevelInfo  // 0
	LevelNotice   = slog.Level(2)
	LevelWarning  = slog.LevelWarn  // 4
	LevelError    = slog.LevelError // 8
	LevelCritical = slog.Level(12)
	LevelPrint    = slog.Level(16)
	LevelOff      = slog.Level(1 << 20)
)

var names = []struct {
	level slog.Level
	name  string
}{
	{LevelOff, "OFF"}, {LevelPrint, "PRINT"}, {LevelCritical, "CRITICAL"}, {LevelError, "ERROR"},
	{LevelWarning, "WARN"}, {LevelNotice, "NOTICE"}, {LevelInfo, "INFO"}, {LevelDebug, "DEBUG"}, {LevelTrace, "TRACE"},
}

// ParseLevel returns the level with that name, in any case. WARNING, v7's name, is
// WARN.
func ParseLevel(name string) (slog.Level, error) {
	if strings.EqualFold(name, "WARNING") {
		return LevelWarning, nil
	}
	for _, n := range names {
		if strings.EqualFold(n.name, name) {
			return n.level, nil
		}
	}
	return 0, fmt.Errorf("logging: unknown level %q; use one of OFF, PRINT, CRITICAL, ERROR, WARN, NOTICE, INFO, DEBUG, TRACE", name)
}

// LevelName returns the name of the highest level that is not above l: slog's name, or
// v7's if slog has none.
func LevelName(l slog.Level) string {
	for _, n := range names {
		if l >= n.level {
			return n.name
		}
	}
	return "TRACE"
}

// A FatalError is the panic of Fatalf. erpc never exits the process: an
// unrecovered panic ends it with a stack trace, and a panic in a handler ends only
// that call.
type FatalError struct{ Text string }

func (e FatalError) Error() string { return e.Text }

// An Origin is the subject of a log line, such as a session.
type Origin interface {
	// LogContext returns the context that handlers of slog get. They may find
	// trace ids in it.
	LogContext() context.Context
	// LogAttrs appends attributes that identify the origin, such as the id of a
	// session.
	LogAttrs(to []slog.Attr) []slog.Attr
}

// A Printer logs formatted text and records of slog. Its zero value discards
// everything. It may be used concurrently.
type Printer struct {
	L    *slog.Logger
	From Origin // nil: nothing
}

func (p Printer) context() context.Context {
	if p.From == nil {
		return context.Background()
	}
	return p.From.LogContext()
}

// Enabled reports whether a line of that level would be written.
func (p Printer) Enabled(l slog.Level) bool {
	return p.L != nil && p.L.Handler().Enabled(p.context(), l)
}

// output formats and writes a line. The exported methods must call it directly,
// because it counts stack frames.
func (p Printer) output(l slog.Level, format string, args []any) {
	if p.Enabled(l) {
		p.write(2, l, fmt.Sprintf(format, args...), nil)
	}
}

// write writes a record. skip is how many stack frames lie between write and the
// line of code to log.
func (p Printer) write(skip int, l slog.Level, msg string, attrs []slog.Attr) {
	var pc [1]uintptr
	runtime.Callers(skip+2, pc[:])
	r := slog.NewRecord(time.Now(), l, msg, pc[0])
	if p.From != nil {
		r.AddAttrs(p.From.LogAttrs(nil)...)
	}
	r.AddAttrs(attrs...)
	_ = p.L.Handler().Handle(p.context(), r) // slog itself ignores this error too
}

// Log writes a record with attributes.
func (p Printer) Log(l slog.Level, msg string, attrs ...slog.Attr) {
	if p.Enabled(l) {
		p.write(1, l, msg, attrs)
	}
}

// Printf logs at the level PRINT, which only OFF silences.
func (p Printer) Printf(format string, args ...any) { p.output(LevelPrint, format, args) }

// Tracef logs at the level TRACE.
func (p Printer) Tracef(format string, args ...any) { p.output(LevelTrace, format, args) }

// Debugf logs at the level DEBUG.
func (p Printer) Debugf(format string, args ...any) { p.output(LevelDebug, format, args) }

// Infof logs at the level INFO.
func (p Printer) Infof(format string, args ...any) { p.output(LevelInfo, format, args) }

// Noticef logs at the level NOTICE.
func (p Printer) Noticef(format string, args ...any) { p.output(LevelNotice, format, args) }

// Warnf logs at the level WARNING.
func (p Printer) Warnf(format string, args ...any) { p.output(LevelWarning, format, args) }

// Errorf logs at the level ERROR.
func (p Printer) Errorf(format string, args ...any) { p.output(LevelError, format, args) }

// Criticalf logs at the level CRITICAL.
func (p Printer) Criticalf(format string, args ...any) { p.output(LevelCritical, format, args) }

// Panicf logs at the level CRITICAL and panics with the text.
func (p Printer) Panicf(format string, args ...any) {
	p.output(LevelCritical, format, args)
	panic(fmt.Sprintf(format, args...))
}

// Fatalf logs at the level CRITICAL and panics with a [FatalError]. Unlike that of
// v7, it does not exit the process, so deferred functions run.
func (p Printer) Fatalf(format string, args ...any) {
	p.output(LevelCritical, format, args)
	panic(FatalError{fmt.Sprintf(format, args...)})
}

// A Sink is the default logger of a process: it writes text to a writer, and its
// level can be changed at any time. All methods may be called concurrently.
type Sink struct {
	level slog.LevelVar
	mu    sync.Mutex // guards the following
	out   slog.Handler
	flush func() error
}

// NewSink returns a sink that writes text to w, at the level INFO.
func NewSink(w io.Writer) *Sink {
	s := &Sink{}
	s.out = TextHandler(w)
	return s
}

// TextHandler returns a handler that writes every record as a line of key=value
// text, with the level names of this package.
func TextHandler(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: LevelTrace,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if l, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey {
				a.Value = slog.StringValue(LevelName(l))
			}
			return a
		},
	})
}

// SetLevel changes the level.
func (s *Sink) SetLevel(l slog.Level) { s.level.Set(l) }

// Level returns the level.
func (s *Sink) Level() slog.Level { return s.level.Level() }

// SetOutput sends further records to h instead. Flush calls flush, which may be
// nil.
func (s *Sink) SetOutput(h slog.Handler, flush func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, s.flush = h, flush
}

// Flush writes what the output has buffered.
func (s *Sink) Flush() error {
	s.mu.Lock()
	flush := s.flush
	s.mu.Unlock()
	if flush == nil {
		return nil
	}
	return flush()
}

// Logger returns a logger that writes to the current output of the sink.
func (s *Sink) Logger() *slog.Logger { return slog.New(&sinkHandler{sink: s}) }

func (s *Sink) handler() slog.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out
}

// sinkHandler looks up the sink's output for every record; with holds the
// WithAttrs and WithGroup calls to repeat on it.
type sinkHandler struct {
	sink *Sink
	with []func(slog.Handler) slog.Handler
}

func (h *sinkHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.sink.level.Level() }

func (h *sinkHandler) Handle(ctx context.Context, r slog.Record) error {
	out := h.sink.handler()
	for _, w := range h.with {
		out = w(out)
	}
	return out.Handle(ctx, r)
}

func (h *sinkHandler) and(w func(slog.Handler) slog.Handler) slog.Handler {
	return &sinkHandler{h.sink, append(h.with[:len(h.with):len(h.with)], w)}
}

func (h *sinkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(o slog.Handler) slog.Handler { return o.WithAttrs(attrs) })
}

func (h *sinkHandler) WithGroup(name string) slog.Handler {
	return h.and(func(o slog.Handler) slog.Handler { return o.WithGroup(name) })
}
