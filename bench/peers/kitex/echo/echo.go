// Package echo is the service that kitex serves, written by hand as its generator
// would.
package echo

import (
	"context"
	"errors"

	"github.com/cloudwego/kitex/pkg/serviceinfo"
	"github.com/cloudwego/prutal"

	"github.com/goerpc/erpc/bench/rig/benchpb"
)

// The names of the service.
const (
	ServiceName = "Echo"
	Method      = "Say"
)

// A Sayer is a handler of the service.
type Sayer interface {
	Say(context.Context, *benchpb.Plain) (*benchpb.Plain, error)
}

// Service describes the service.
func Service() *serviceinfo.ServiceInfo {
	return &serviceinfo.ServiceInfo{
		ServiceName:  ServiceName,
		HandlerType:  (*Sayer)(nil),
		PayloadCodec: serviceinfo.Protobuf,
		Methods: map[string]serviceinfo.MethodInfo{
			Method: serviceinfo.NewMethodInfo(handle,
				func() any { return new(Args) }, func() any { return new(Result) }, false,
				serviceinfo.WithStreamingMode(serviceinfo.StreamingNone)),
		},
		Extra: map[string]any{"PackageName": "bench"},
	}
}

func handle(ctx context.Context, handler, arg, res any) error {
	a, ok := arg.(*Args)
	if !ok {
		return errors.New("kitex: wrong type of arguments")
	}
	m, err := handler.(Sayer).Say(ctx, a.Req)
	res.(*Result).Success = m
	return err
}

// Args carries a request in the ways that kitex asks for.
type Args struct{ Req *benchpb.Plain }

// Result carries a reply in the ways that kitex asks for.
type Result struct{ Success *benchpb.Plain }

// Marshal is for kitex.
func (a *Args) Marshal(out []byte) ([]byte, error) { return prutal.MarshalAppend(out, a.Req) }

// Unmarshal is for kitex.
func (a *Args) Unmarshal(in []byte) error {
	a.Req = new(benchpb.Plain)
	return prutal.Unmarshal(in, a.Req)
}

// GetFirstArgument is for kitex.
func (a *Args) GetFirstArgument() any { return a.Req }

// Marshal is for kitex.
func (r *Result) Marshal(out []byte) ([]byte, error) { return prutal.MarshalAppend(out, r.Success) }

// Unmarshal is for kitex.
func (r *Result) Unmarshal(in []byte) error {
	r.Success = new(benchpb.Plain)
	return prutal.Unmarshal(in, r.Success)
}

// SetSuccess is for kitex.
func (r *Result) SetSuccess(x any) { r.Success, _ = x.(*benchpb.Plain) }

// GetResult is for kitex.
func (r *Result) GetResult() any { return r.Success }

// IsSetSuccess is for kitex.
func (r *Result) IsSetSuccess() bool { return r.Success != nil }
