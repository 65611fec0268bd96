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

// addOwned adds frame to the end of the queue without a copy. It belongs to the
// queue from now on.
func (q *queue) addOwned(frame []byte) {
	q.n += len(frame)
	q.link(&chunk{kind: wholeFrame, b: frame, frame: frame})
}

// addLent adds body to the end of the queue without a copy. It still belongs to
// its sender.
func (q *queue) addLent(body []byte) {
	q.n += len(body)
	q.link(&chunk{kind: lentBody, b: body})
}

// addDroppable copies frame to the end of the queue, as a chunk of its own.
func (q *queue) addDroppable(frame []byte) {
	q.n += len(frame)
	q.link(&chunk{kind: droppable, b: append(make([]byte, 0, len(frame)), frame...)})
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
