package socket

// A queue is the list of chunks that wait to be written. The outbox's mutex
// guards it. The zero value is empty.
type queue struct {
	head, tail *chunk
	prev       *chunk // the one before tail, nil if there is none
	n          int    // bytes
}

func (q *queue) link(c *chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.prev, q.tail = q.tail, c
}

// add copies frame to the end of the queue.
func (q *queue) add(frame []byte) {
	q.n += len(frame)
	t := q.tail
	switch {
	case t == nil || t.droppable || t.own && len(t.b)+len(frame) > cap(t.b) || len(t.b)+len(frame) > maxChunk:
		t = getChunk()
		q.link(t)
		fallthrough
	default:
		if len(t.b)+len(frame) > cap(t.b) {
			grown := t.grow(len(frame))
			q.tail = grown
			if q.prev == nil {
				q.head = grown
			} else {
				q.prev.next = grown
			}
			t = grown
		}
		t.b = append(t.b, frame...)
	}
}

// addOwn makes frame, which nobody else uses from now on, the end of the
// queue.
func (q *queue) addOwn(frame []byte) {
	q.n += len(frame)
	q.link(&chunk{b: frame, frame: frame, own: true})
}

// addChunk makes c the end of the queue.
func (q *queue) addChunk(c *chunk) {
	q.n += len(c.b)
	q.link(c)
}

// addDroppable copies frame to the end of the queue, as a chunk of its own.
func (q *queue) addDroppable(frame []byte) {
	q.n += len(frame)
	q.link(&chunk{b: append(make([]byte, 0, len(frame)), frame...), droppable: true})
}

// drop removes droppable frames, oldest first, until n bytes are free below
// limit, and returns how many it removed.
func (q *queue) drop(n, limit int) (dropped uint64) {
	var kept queue
	for c := q.head; c != nil; {
		next := c.next
		c.next = nil
		if c.droppable && q.n+n > limit {
			q.n -= len(c.b)
			dropped++
		} else {
			kept.link(c)
		}
		c = next
	}
	kept.n = q.n
	*q = kept
	return dropped
}

// take empties the queue and returns what was in it.
func (q *queue) take() *chunk {
	c := q.head
	*q = queue{}
	return c
}
