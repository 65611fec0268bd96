package socket

// A queue is the list of chunks that wait to be written. The writer's mutex
// guards it. The zero value is empty.
type queue struct {
	head, tail *chunk
	n          int // bytes
	stream     int // those that belong to messages of streams and have not been taken since they were added
}

// empty reports whether there is nothing for a leader to do.
func (q *queue) empty() bool { return q.head == nil }

func (q *queue) link(c *chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

// add copies frame to the end of the queue.
func (q *queue) add(frame []byte) {
	q.n += len(frame)
	c := q.tail
	if c == nil || !c.takes(len(frame)) {
		c = newShared()
		q.link(c)
	}
	if len(c.b)+len(frame) > cap(c.b) {
		c.grow(len(frame))
	}
	c.b = append(c.b, frame...)
}

// hasSpare reports whether the last chunk holds copies and has room for n more bytes.
func (q *queue) hasSpare(n int) bool {
	c := q.tail
	return c != nil && c.kind == shared && len(c.b)+n <= cap(c.b)
}

// addOwned adds frame to the end of the queue without a copy. It belongs to the
// queue from now on.
func (q *queue) addOwned(frame []byte) {
	q.n += len(frame)
	q.link(&chunk{kind: wholeFrame, b: frame, frame: frame})
}

// addReference adds frame to the end of the queue without a copy. Nobody may change
// it any more. It does copy into a chunk with copies that has room: if each message
// between two references took a chunk, a queue of small ones would be mostly room.
func (q *queue) addReference(frame []byte) {
	if q.hasSpare(len(frame)) {
		q.add(frame)
		return
	}
	q.n += len(frame)
	if len(frame) >= ownFrame {
		q.link(&chunk{kind: lentFrame, b: frame})
		return
	}
	c := q.tail
	if c == nil || c.kind != references {
		c = referenceChunks.Get().(*chunk)
		q.link(c)
	}
	c.frames = append(c.frames, frame)
}

// addLent adds body to the end of the queue without a copy. It still belongs to
// its sender.
func (q *queue) addLent(body []byte) {
	q.n += len(body)
	q.link(&chunk{kind: lentBody, b: body})
}

// addDroppable adds frame to the end of the queue without a copy, as a chunk of its
// own. Nobody may change it any more.
func (q *queue) addDroppable(frame []byte) {
	q.n += len(frame)
	q.link(&chunk{kind: droppable, b: frame})
}

// addMarker returns a channel that gets true once everything queued before has
// been written, false if it never will be.
func (q *queue) addMarker() <-chan bool {
	flushed := make(chan bool, 1)
	q.link(&chunk{kind: marker, flushed: flushed})
	return flushed
}

// addFront puts c and what follows it in front of the queue.
func (q *queue) addFront(c *chunk) {
	last := c
	q.n += len(c.b)
	for last.next != nil {
		last = last.next
		q.n += len(last.b)
	}
	last.next = q.head
	q.head = c
	if q.tail == nil {
		q.tail = last
	}
}

// drop removes droppable frames, oldest first, until n bytes are free below
// limit, and returns how many it removed.
func (q *queue) drop(n, limit int) (dropped uint64) {
	var kept queue
	for c := q.head; c != nil; {
		next := c.next
		c.next = nil
		if c.kind == droppable && q.n+n > limit {
			q.n -= len(c.b)
			dropped++
		} else {
			kept.link(c)
		}
		c = next
	}
	kept.n, kept.stream = q.n, q.stream
	*q = kept
	return dropped
}

// take empties the queue and returns what was in it.
func (q *queue) take() *chunk {
	c := q.head
	*q = queue{}
	return c
}
