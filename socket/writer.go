package socket

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goerpc/erpc/proto"
)

// Errors of sending.
var (
	// ErrQueueFull says that the other side does not read fast enough and that
	// the sender did not want to wait for it. Nothing of the message is sent.
	ErrQueueFull = errors.New("socket: outgoing queue full")
	// ErrSlowReader ends a connection whose other side does not read: its queue
	// was full under the policy Disconnect, nothing could be written for the
	// write timeout, or it drained so slowly that pushes found no room.
	ErrSlowReader = errors.New("socket: the other side does not read")
)

// A writer collects packed frames and writes them in batches (group commit).
// It has no goroutine of its own: a sender that finds it idle becomes its
// leader and writes, for one turn, its own frame and what others enqueue
// meanwhile. A leader never blocks on the connection; once the kernel takes no
// more, a goroutine that may block carries on. writerState has the rules.
type writer struct {
	conn net.Conn
	raw  syscall.RawConn // nil: conn offers no write that does not block
	cfg  *Config

	waiting atomic.Int64  // bytes of replies that wait for room, or that their senders write
	moved   atomic.Uint64 // bytes that the connection has taken
	waiters atomic.Int32  // how many replies wait

	mu          sync.Mutex // guards the following; never held during I/O or user code, but for a Sequencer's
	state       writerState
	life        lifeState
	deadlineSet bool // conn has a write deadline that is not that of Close
	gaveUp      bool // a sender has given up waiting for room since the queue was last taken
	queue       queue
	crowd       *crowd // nil: none of what it holds was ever needed, as on most sockets
	err         error  // why nothing more is queued; nil while life is open

	messages, bytes, writes uint64 // as in Stats
}

// A crowd holds the senders that wait for a writer, and other state that only a busy
// writer needs. The writer's mutex guards it. A nil crowd is empty.
type crowd struct {
	room       roomQueue
	streamRoom roomQueue // of senders of messages of streams
	leads      leadQueue
	body       *bodyWrite // in writingBody: what is being written
	onRoom     func()     // see NotifyRoom
	onFailed   func()     // see NotifyFailed
	watchdog   writeWatchdog
	unread     *time.Timer // closes a connection whose reader has something left; see failWriting
	dropped    uint64      // as in Stats
}

// crowdLocked returns the crowd, which it makes if there is none yet.
func (w *writer) crowdLocked() *crowd {
	if w.crowd == nil {
		w.crowd = new(crowd)
	}
	return w.crowd
}

// waits reports whether a sender waits for room, for messages of streams if
// stream is set.
func (c *crowd) waits(stream bool) bool {
	return c != nil && (c.room.head != nil || stream && c.streamRoom.head != nil)
}

// takeOnRoom returns whom to tell of room, and forgets it.
func (c *crowd) takeOnRoom() (f func()) {
	if c != nil {
		f, c.onRoom = c.onRoom, nil
	}
	return f
}

// takeOnFailed returns whom to tell of a failed write, and forgets it.
func (c *crowd) takeOnFailed() (f func()) {
	if c != nil {
		f, c.onFailed = c.onFailed, nil
	}
	return f
}

// takeUnread returns the timer that closes the connection, and forgets it.
func (c *crowd) takeUnread() (t *time.Timer) {
	if c != nil {
		t, c.unread = c.unread, nil
	}
	return t
}

// passLead gives the lead to the sender of a large body that has waited longest.
// It reports false if nobody waits.
func (c *crowd) passLead() bool { return c != nil && c.leads.pass() }

// interrupted reports whether the large body that is being written is to be left to
// others.
func (c *crowd) interrupted() bool { return c != nil && c.body != nil && c.body.interrupted }

// rest says that no write is in progress. The timer of the watchdog runs out.
func (c *crowd) rest() {
	if c != nil {
		c.watchdog.due = 0
	}
}

// stop ends the timers.
func (c *crowd) stop() {
	if c != nil {
		c.watchdog.stop()
	}
}

func (w *writer) init(conn net.Conn, raw syscall.RawConn, cfg *Config) {
	w.conn, w.raw, w.cfg = conn, raw, cfg
}

// streamShare bounds the part of a queue that messages of streams may fill:
// 1/streamShare. Streams can always send more, so without it calls and pushes
// would find the queue full.
const streamShare = 4

// A putMode says how a frame is enqueued.
type putMode struct {
	full   Full
	flush  Flush
	policy Policy // if full is ByPolicy
	push   bool
	stream bool // it is a message of a stream
	own    bool // the frame's bytes are given away
	common bool // other sockets send the frame, too, so nobody changes it
	weight int  // bytes that count as waiting for room while the frame does

	order proto.Sequencer // told of the message, unless nil
	mtype byte
	seq   int32
}

// send enqueues frame and has it written as mode says. It retains frame only if mode
// says that it is given away or common.
func (w *writer) send(ctx context.Context, frame []byte, mode putMode) error {
	lead, err := w.put(ctx, frame, mode)
	if !lead {
		return err
	}
	switch {
	case w.cfg.FlushDelay > 0:
		w.flushAfterDelay()
	case mode.flush == FlushAsync:
		w.cfg.flushers.add(w)
	default:
		w.flush(mode.flush == FlushYield)
	}
	return nil
}

// put enqueues frame. If lead is true the caller must write the queue, or have
// it written: the state is writing, or scheduled if mode or the flush delay
// leave it to others.
func (w *writer) put(ctx context.Context, frame []byte, mode putMode) (lead bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for helped := false; w.err == nil && !w.admitsLocked(len(frame), mode); helped = true {
		queued, err := w.makeRoomLocked(ctx, frame, mode, helped)
		if err != nil || queued {
			return false, err
		}
	}
	if w.err != nil {
		return false, w.err
	}
	w.appendLocked(frame, mode)
	if mode.flush == FlushLater || w.state != idle {
		return false, nil
	}
	if mode.flush == FlushAsync || w.cfg.FlushDelay > 0 {
		w.state.move(scheduled)
	} else {
		w.state.move(writing)
	}
	return true, nil
}

// appendLocked adds frame to the end of the queue.
func (w *writer) appendLocked(frame []byte, mode putMode) {
	if mode.order != nil {
		mode.order.Sent(mode.mtype, mode.seq)
	}
	switch {
	case mode.own:
		w.queue.addOwned(frame)
	case mode.push && w.cfg.Policy == DropOld:
		if !mode.common {
			frame = slices.Clone(frame)
		}
		w.queue.addDroppable(frame)
	case mode.common:
		w.queue.addReference(frame)
	default:
		w.queue.add(frame)
	}
	if mode.stream {
		w.queue.stream += len(frame)
	}
	w.messages++
	w.bytes += uint64(len(frame))
}

// hasRoomLocked reports whether n more bytes fit below limit. An empty queue has
// room for one frame of any size.
func (w *writer) hasRoomLocked(n, limit int) bool {
	return w.queue.n == 0 || w.queue.n+n <= limit
}

// admitsLocked reports whether a frame of n bytes may be enqueued now. Frames that
// wait for room go first.
func (w *writer) admitsLocked(n int, mode putMode) bool {
	if mode.full == Reserved {
		return w.hasRoomLocked(n, 2*w.cfg.QueueLimit)
	}
	if mode.stream && !w.hasStreamRoomLocked(n) {
		return false
	}
	return !w.crowd.waits(mode.stream) && w.hasRoomLocked(n, w.cfg.QueueLimit)
}

// hasStreamRoomLocked reports whether another message of a stream, of n bytes,
// fits into the part of the queue that streams may fill. If none is queued, one of
// any size fits.
func (w *writer) hasStreamRoomLocked(n int) bool {
	return w.queue.stream == 0 || w.queue.stream+n <= w.cfg.QueueLimit/streamShare
}

// makeRoomLocked deals with a full queue as mode says. It may unlock the mutex
// meanwhile. If queued is true the leader has enqueued the frame; otherwise the
// caller looks again. helped says that the caller has been here before.
func (w *writer) makeRoomLocked(ctx context.Context, frame []byte, mode putMode, helped bool) (queued bool, err error) {
	if w.state == idle || w.state == scheduled && !helped { // queued and not flushed: the other side is not to blame
		w.state.move(writing)
		w.mu.Unlock()
		w.flush(false)
		w.mu.Lock()
		return false, nil
	}
	late := w.state == scheduled || w.state == starting // our own goroutines are late, not the other side
	if mode.full != Reserved && !late {
		room, err := w.applyPolicyLocked(len(frame), mode)
		if room || err != nil {
			return false, err
		}
	}
	switch mode.full {
	case NoWait, Reserved:
		return false, ErrQueueFull
	}
	err = w.waitForRoomLocked(ctx, frame, mode)
	return err == nil, err
}

// applyPolicyLocked does what the policy of a push says about a full queue. It
// returns false and no error if the push has to wait. DropNew and Disconnect count
// it as dropped.
func (w *writer) applyPolicyLocked(n int, mode putMode) (room bool, err error) {
	switch mode.policy {
	case DropNew:
		w.crowdLocked().dropped++
		return false, ErrQueueFull
	case DropOld:
		dropped := w.queue.drop(n, w.cfg.QueueLimit)
		w.crowdLocked().dropped += dropped
		return dropped > 0 && w.hasRoomLocked(n, w.cfg.QueueLimit), nil
	case Disconnect:
		if w.state == writingBody {
			return false, nil // not slow, but busy with a large frame
		}
		w.crowdLocked().dropped++
		w.mu.Unlock()
		w.fail(ErrSlowReader)
		w.mu.Lock()
		return false, ErrSlowReader
	}
	return false, nil
}

// load counts replies that wait, and their bytes.
func (w *writer) load(replies, weight int) {
	w.waiters.Add(int32(replies))
	w.waiting.Add(int64(weight))
}

// claim makes the caller the leader if something is queued and there is no leader.
func (w *writer) claim() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != idle || w.queue.empty() {
		return false
	}
	w.state.move(writing)
	return true
}

// take takes what is queued for the leader to write. If there is nothing, or
// the lead goes to the sender of a large body, it ends the lead and returns
// nil.
func (w *writer) take() *chunk {
	w.mu.Lock()
	if w.state == starting {
		w.state.move(writing)
	}
	if w.life == closed {
		freeAll(w.queue.take())
	} else if w.crowd.passLead() {
		w.state.move(writingBody)
		w.mu.Unlock()
		return nil
	}
	c := w.queue.take()
	w.grantLocked()
	w.gaveUp = false
	last := false
	if c != nil {
		w.writes++
	} else {
		last = w.endLeadLocked()
	}
	onRoom := w.crowd.takeOnRoom()
	w.mu.Unlock()
	if onRoom != nil {
		onRoom()
	}
	if last {
		_ = w.shut() // Close left this to the leader and has returned, so its error has no receiver
	}
	return fetch(c)
}

// endLeadLocked makes the writer idle. It reports whether the caller must close
// the connection, because Close left that to the leader.
func (w *writer) endLeadLocked() (last bool) {
	w.state.move(idle)
	if w.life == lingering {
		w.life.move(closed)
		w.crowd.stop()
		return true
	}
	w.unboundLocked()
	return false
}
