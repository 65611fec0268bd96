package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/reflect"
)

// ask calls a method of plugin/reflect. All peers speak JSON.
func ask[R any](ctx context.Context, sess erpc.Session, method string, arg any) (*R, error) {
	res, err := erpc.Call[R](ctx, sess, method, arg)
	if err == nil {
		return res, nil
	}
	st := erpc.StatusFromError(err)
	if st.Code() == erpc.CodeNotFound {
		return nil, statusError{st.Copy("the peer does not tell its methods; it needs plugin/reflect")}
	}
	return nil, failed(st)
}

// runList prints the methods of a peer.
func runList(ctx context.Context, o *options, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return usagef("list takes TARGET [PREFIX]")
	}
	if o.format != "text" && o.format != "json" {
		return usagef("-o %s: it is text or json", o.format)
	}
	arg := &reflect.ListArg{}
	if len(args) == 2 {
		arg.Prefix = args[1]
	}
	return o.reflect(ctx, args[0], func(ctx context.Context, sess erpc.Session) error {
		list, err := ask[reflect.List](ctx, sess, reflect.ListMethod, arg)
		if err != nil {
			return err
		}
		if o.format == "json" {
			for _, m := range list.Methods {
				if err := o.line(m); err != nil {
					return err
				}
			}
			return nil
		}
		w := tabwriter.NewWriter(o.std.out, 0, 8, 2, ' ', 0)
		for _, m := range list.Methods {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", harmless(m.Kind), harmless(m.Name), harmless(m.Arg), harmless(m.Result), harmless(m.Doc))
		}
		return w.Flush()
	})
}

// runDescribe prints the descriptions of methods, one after another.
func runDescribe(ctx context.Context, o *options, args []string) error {
	if len(args) < 2 {
		return usagef("describe takes TARGET METHOD...")
	}
	return o.reflect(ctx, args[0], func(ctx context.Context, sess erpc.Session) error {
		d, err := ask[reflect.Descriptions](ctx, sess, reflect.DescribeMethod, &reflect.DescribeArg{Names: args[1:]})
		if err != nil {
			return err
		}
		if len(d.Methods) == 0 {
			return statusError{erpc.NewStatusByCodeText(erpc.CodeNotFound, "the peer has none of these methods", false)}
		}
		for _, m := range d.Methods {
			text, err := json.MarshalIndent(m, "", "  ")
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(o.std.out, harmlessJSON(text)); err != nil {
				return err
			}
		}
		return nil
	})
}

// reflect dials and runs f within the timeout.
func (o *options) reflect(ctx context.Context, to string, f func(context.Context, erpc.Session) error) error {
	p, sess, err := o.dial(ctx, to, nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // the outcome is known
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return f(ctx, sess)
}

// line prints v as a line of JSON.
func (o *options) line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.std.out, harmlessJSON(text))
	return err
}

// A protoMethod converts argument and result of a method with protobuf messages.
type protoMethod struct {
	arg, result protoreflect.MessageDescriptor // nil: it has another type
	name        string
}

// describeProto asks the peer for the messages of a method.
func describeProto(ctx context.Context, sess erpc.Session, method string) (*protoMethod, error) {
	d, err := ask[reflect.Descriptions](ctx, sess, reflect.DescribeMethod, &reflect.DescribeArg{Names: []string{method}})
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(d.Files, &set); err != nil {
		return nil, fmt.Errorf("descriptors of the peer: %w", err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("descriptors of the peer: %w", err)
	}
	m := &protoMethod{name: method}
	for _, about := range d.Methods {
		for to, name := range map[*protoreflect.MessageDescriptor]string{&m.arg: about.ArgMessage, &m.result: about.ResultMessage} {
			if name == "" {
				continue
			}
			found, err := files.FindDescriptorByName(protoreflect.FullName(name))
			if err != nil {
				return nil, fmt.Errorf("descriptors of the peer: %w", err)
			}
			message, ok := found.(protoreflect.MessageDescriptor)
			if !ok {
				return nil, fmt.Errorf("descriptors of the peer: %q is not a message", name)
			}
			*to = message
		}
	}
	if m.arg == nil {
		return nil, errors.New("the argument of " + method + " is not a protobuf message, or the peer does not tell of it; use -codec json")
	}
	return m, nil
}

// encode converts JSON to the argument.
func (m *protoMethod) encode(text []byte) ([]byte, error) {
	msg := dynamicpb.NewMessage(m.arg)
	if len(text) > 0 {
		if err := protojson.Unmarshal(text, msg); err != nil {
			return nil, usagef("the argument is no %s: %v", m.arg.FullName(), err)
		}
	}
	return proto.Marshal(msg)
}

// decode converts a result to JSON.
func (m *protoMethod) decode(body []byte) ([]byte, error) {
	if m.result == nil {
		return body, nil
	}
	msg := dynamicpb.NewMessage(m.result)
	if err := proto.Unmarshal(body, msg); err != nil {
		return nil, fmt.Errorf("result of %s: %w", m.name, err)
	}
	return protojson.Marshal(msg)
}
