// Command gorpc is valyala/gorpc with compression off (it is on by default,
// and would measure flate): once with structs that its gob encodes, once with
// the bytes of a protobuf message that handler and caller decode.
package main

import (
	"fmt"

	"github.com/valyala/gorpc"
	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	gorpc.RegisterType(&benchpb.Plain{})
	rig.Main(
		rig.Variant{Name: "gorpc-gob", Serve: serve(answerPlain), Dial: dial(plainCaller)},
		rig.Variant{Name: "gorpc-pb", Serve: serve(answerBytes), Dial: dial(bytesCaller)},
	)
}

func serve(handle gorpc.HandlerFunc) func(rig.Config) (*rig.Server, error) {
	return func(c rig.Config) (*rig.Server, error) {
		s := gorpc.NewTCPServer(c.Addr, handle)
		return &rig.Server{}, s.Start()
	}
}

func answerPlain(_ string, request any) any {
	m := request.(*benchpb.Plain)
	m.Answer()
	return m
}

func answerBytes(_ string, request any) any {
	var m benchpb.Message
	if err := proto.Unmarshal(request.([]byte), &m); err != nil {
		return err.Error() // not bytes: the caller fails on it
	}
	m.Answer()
	b, err := proto.Marshal(&m)
	if err != nil {
		return err.Error()
	}
	return b
}

func dial(caller func(cl *gorpc.Client, tag uint32) func() error) func(rig.Config) (*rig.Client, error) {
	return func(c rig.Config) (*rig.Client, error) {
		all := make([]*gorpc.Client, c.Conns)
		for i := range all {
			all[i] = gorpc.NewTCPClient(c.Addr)
			all[i].DisableCompression = true
			all[i].Start()
		}
		return &rig.Client{NewCaller: func(i int) func() error {
			return caller(all[i%len(all)], uint32(i)<<16)
		}}, nil
	}
}

func plainCaller(cl *gorpc.Client, tag uint32) func() error {
	req := benchpb.NewPlain()
	return func() error {
		tag++
		req.Tag(tag)
		reply, err := cl.Call(req)
		if err != nil {
			return err
		}
		m, ok := reply.(*benchpb.Plain)
		if !ok {
			return fmt.Errorf("gorpc: reply is %T", reply)
		}
		return m.Check(tag)
	}
}

func bytesCaller(cl *gorpc.Client, tag uint32) func() error {
	req := benchpb.NewRequest()
	return func() error {
		tag++
		req.Tag(tag)
		b, err := proto.Marshal(req)
		if err != nil {
			return err
		}
		reply, err := cl.Call(b)
		if err != nil {
			return err
		}
		b, ok := reply.([]byte)
		if !ok {
			return fmt.Errorf("gorpc: reply is %T: %v", reply, reply)
		}
		var m benchpb.Message
		if err := proto.Unmarshal(b, &m); err != nil {
			return err
		}
		return m.Check(tag)
	}
}
