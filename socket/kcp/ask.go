package kcp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"time"
)

// askEvery is how long ask waits for an answer before it asks again. It doubles up
// to askSeldom.
const (
	askEvery  = 100 * time.Millisecond
	askSeldom = time.Second
)

// newConversation returns a random number of a conversation, which can't be
// guessed.
func newConversation() (uint32, error) {
	var b [4]byte
	_, err := rand.Read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// ask gets a cookie from the gate of the other side and sends it back, so that the
// hello that follows is let in at once. Otherwise the hello would be lost, and KCP
// sends it again only after 200 ms. A side without a gate answers with something
// else, which is good enough.
func ask(ctx context.Context, p *path, conv uint32) error {
	stop := context.AfterFunc(ctx, func() { _ = p.udp.SetReadDeadline(past) }) // fails only on a closed socket
	defer stop()
	buf := make([]byte, 1500)
	wait := askEvery
	for {
		if _, err := p.WriteTo(segment{conv: conv, cmd: cmdProbe, window: halfOpenWindow}.append(nil), p.flow); err != nil {
			return err
		}
		_ = p.udp.SetReadDeadline(time.Now().Add(wait)) // the read reports it
		for ctx.Err() == nil {
			n, _, err := p.ReadFrom(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
			done, err := p.answer(buf[:n], conv)
			if err != nil {
				return err
			}
			if done {
				if !stop() {
					return ctx.Err()
				}
				return p.udp.SetReadDeadline(time.Time{})
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait = min(2*wait, askSeldom)
	}
}

// answer sends the cookie in a packet back and reports whether the session may begin.
func (p *path) answer(packet []byte, conv uint32) (done bool, err error) {
	b, _, ok := segments(packet)
	if !ok {
		return false, nil
	}
	s, _, ok := cutSegment(b)
	if !ok || s.conv != conv {
		return false, nil
	}
	if s.cmd == cmdPush && s.sn >= longAgo {
		_, err = p.WriteTo(segment{conv: conv, cmd: cmdAck, window: halfOpenWindow, ts: s.ts, sn: s.sn}.append(nil), p.flow)
	}
	return err == nil, err
}
