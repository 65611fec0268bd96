package kcp

import (
	"io"
	"net"
	"time"
)

// lingerTime is how long after Close what was written may take to arrive and to be
// read.
const lingerTime = 2 * time.Second

// settleTime is for the last acknowledgement, which kcp-go sends in the background
// without reporting when.
const settleTime = 50 * time.Millisecond

// past is a deadline that ends waiting reads and writes.
var past = time.Unix(1, 0)

// end notes that the other side has closed and no longer reads.
func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if !c.closed {
		_ = c.kcp.SetWriteDeadline(past) // never fails; ends a write
	}
}

// ping tells the other side that this one is alive.
func (c *Conn) ping() {
	c.mu.Lock()
	over, quiet := c.closed || c.ended || c.lost, time.Since(c.said)
	if !over {
		c.users.Add(1)
		defer c.users.Done()
	}
	if !over {
		wait := c.period
		if quiet < c.period {
			wait -= quiet // something was sent meanwhile
		}
		c.pinging.Reset(wait)
	}
	c.mu.Unlock()
	if over || quiet < c.period || !c.writing.TryLock() { // whoever holds it is sending
		return
	}
	defer c.writing.Unlock()
	_, _ = c.kcp.Write(appendHead(nil, recordPing, 0)) // the reader notices the end
	c.mu.Lock()
	c.said = time.Now()
	c.mu.Unlock()
}

// tellTime is how long Close waits until the end has been sent, so that the process
// may exit after it. This takes microseconds unless the machine is busy.
const tellTime = 20 * time.Millisecond

// Close implements [net.Conn]. When it returns, the end has been sent, unless
// earlier packets wait for room. What was written is still delivered, in the
// background.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	if c.pinging != nil {
		c.pinging.Stop()
	}
	c.readBy = past             // for the handshake, too
	_ = c.kcp.SetDeadline(past) // never fails; ends Read and Write
	c.mu.Unlock()
	told := make(chan struct{})
	go c.finish(told)
	late := time.NewTimer(tellTime)
	defer late.Stop()
	select {
	case <-told:
	case <-late.C:
	}
	return nil
}

// finish sends the end and then closes told. It waits until the other side has read
// everything, which that side shows by closing too, and ends the session of kcp-go.
func (c *Conn) finish(told chan<- struct{}) {
	defer c.kcp.Close() // fails if the session was ended from outside
	c.users.Wait()      // from now on this goroutine is the only user
	deadline := time.Now().Add(lingerTime)
	c.mu.Lock()
	over, ended := c.lost || !c.opened.Load(), c.ended
	c.readBy, c.patience, c.gone = deadline, 0, nil
	c.mu.Unlock()
	if over || !c.records.Load() {
		close(told) // the other side is gone, or does not know of ends
	}
	if over {
		defer c.free()
		return
	}
	defer func() { time.AfterFunc(settleTime, c.free) }()
	if c.records.Load() {
		err := c.tell(deadline)
		close(told)
		if err != nil && !ended {
			return
		}
		if !ended { // discard what still arrives, so that the other side gets to its end
			_, _ = io.Copy(io.Discard, &c.data) // until the deadline at most
		}
	}
	c.awaitAcknowledged(deadline)
}

// tell writes the last record and returns once a packet has been sent after that.
func (c *Conn) tell(deadline time.Time) error {
	_ = c.kcp.SetWriteDeadline(deadline) // never fails
	select {
	case <-c.flow.said: // sent before the record
	default:
	}
	if _, err := c.kcp.Write(appendHead(nil, recordEnd, 0)); err != nil {
		return err
	}
	late := time.NewTimer(tellTime)
	defer late.Stop()
	select {
	case <-c.flow.said:
	case <-late.C:
	}
	return nil
}

// awaitAcknowledged returns when everything that was written has arrived, or the
// deadline has passed. kcp-go only tells whether fewer packets wait than fit into
// the window, so the window is made as small as possible meanwhile.
func (c *Conn) awaitAcknowledged(deadline time.Time) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		c.kcp.SetWindowSize(1, c.cfg.ReceiveWindow)
		_ = c.kcp.SetWriteDeadline(past)  // never fails
		_, err := c.kcp.WriteBuffers(nil) // sends acknowledgements, too
		c.kcp.SetWindowSize(c.cfg.SendWindow, c.cfg.ReceiveWindow)
		if err == nil {
			return
		}
		<-tick.C
	}
}
