package main

import (
	"context"
	"errors"

	"github.com/goerpc/erpc"

	"github.com/goerpc/erpc/bench/rig"
)

func servePush(push func(erpc.Peer, []byte) (int, error)) func(rig.Config) (*rig.Server, error) {
	return func(c rig.Config) (*rig.Server, error) {
		p, err := listen(c, defaults(), nothing)
		if err != nil {
			return nil, err
		}
		return &rig.Server{Push: func(body []byte) (int, error) { return push(p, body) }}, nil
	}
}

func broadcast(p erpc.Peer, body []byte) (int, error) {
	sent, failed := p.Broadcast(pathPush, body)
	for id, st := range failed {
		return sent, errors.New("erpc: session " + id + ": " + st.String())
	}
	return sent, nil
}

func pushEach(p erpc.Peer, body []byte) (sent int, err error) {
	p.RangeSession(func(s erpc.Session) bool {
		if st := s.Push(pathPush, body); !st.OK() {
			err = errors.New(st.String())
			return false
		}
		sent++
		return true
	})
	return sent, err
}

func dialPush(c rig.Config) (*rig.Client, error) {
	_, err := sessions(c, defaults(), handlePush)
	return &rig.Client{}, err
}

func handlePush(p erpc.Peer, c rig.Config) error {
	erpc.HandlePush(p, pathPush, func(_ context.Context, b *[]byte) error {
		c.OnPush(*b)
		return nil
	})
	return nil
}
