package main

import (
	"context"
	"errors"

	"github.com/cloudwego/kitex/pkg/serviceinfo"
	"github.com/cloudwego/prutal"

	"github.com/goerpc/erpc/bench/rig/benchpb"
)

const (
	serviceName = "Echo"
	method      = "Say"
)

// sayer is what a handler of the service implements.
type sayer interface {
	Say(context.Context, *benchpb.Plain) (*benchpb.Plain, error)
}

func service() *serviceinfo.ServiceInfo {
	return &serviceinfo.ServiceInfo{
		ServiceName:  serviceName,
		HandlerType:  (*sayer)(nil),
		PayloadCodec: serviceinfo.Protobuf,
		Methods: map[string]serviceinfo.MethodInfo{
			method: serviceinfo.NewMethodInfo(handle,
				func() any { return new(args) }, func() any { return new(result) }, false,
				serviceinfo.WithStreamingMode(serviceinfo.StreamingNone)),
		},
		Extra: map[string]any{"PackageName": "bench"},
	}
}

func handle(ctx context.Context, handler, arg, res any) error {
	a, ok := arg.(*args)
	if !ok {
		return errors.New("kitex: wrong type of arguments")
	}
	m, err := handler.(sayer).Say(ctx, a.Req)
	res.(*result).Success = m
	return err
}

// args and result carry the message in the ways that kitex asks for.
type (
	args   struct{ Req *benchpb.Plain }
	result struct{ Success *benchpb.Plain }
)

func (a *args) Marshal(out []byte) ([]byte, error) { return prutal.MarshalAppend(out, a.Req) }

func (a *args) Unmarshal(in []byte) error {
	a.Req = new(benchpb.Plain)
	return prutal.Unmarshal(in, a.Req)
}

func (a *args) GetFirstArgument() any { return a.Req }

func (r *result) Marshal(out []byte) ([]byte, error) { return prutal.MarshalAppend(out, r.Success) }

func (r *result) Unmarshal(in []byte) error {
	r.Success = new(benchpb.Plain)
	return prutal.Unmarshal(in, r.Success)
}

func (r *result) SetSuccess(x any) { r.Success, _ = x.(*benchpb.Plain) }

func (r *result) GetResult() any { return r.Success }

func (r *result) IsSetSuccess() bool { return r.Success != nil }
