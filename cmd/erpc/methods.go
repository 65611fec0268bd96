package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/descriptors"
	"github.com/goerpc/erpc/plugin/reflect"
)

func listFlags(o *options, fs *flag.FlagSet) {
	formatFlags(o, fs)
	o.schemaFlags(fs)
}

func describeFlags(o *options, fs *flag.FlagSet) {
	o.codecFlag(fs)
	o.schemaFlags(fs)
	fs.BoolVar(&o.template, "template", false, "print a sample argument to fill in")
}

// ask calls a method of plugin/reflect.
func ask[R any](ctx context.Context, o *options, sess erpc.Session, method string, arg any) (*R, error) {
	return askFor[R](ctx, o, sess, method, arg, "the peer does not describe its methods; it needs plugin/reflect")
}

// askFor calls a method that a plugin of the peer adds; missing is the error
// text if the peer does not have it. It uses JSON, which all peers support.
func askFor[R any](ctx context.Context, o *options, sess erpc.Session, method string, arg any, missing string) (*R, error) {
	res, err := erpc.Call[R](ctx, sess, method, arg, o.settings(ctx)...)
	if err == nil {
		return res, nil
	}
	st := erpc.StatusFromError(err)
	if st.Code() == erpc.CodeNotFound {
		return nil, statusError{st.Copy(missing)}
	}
	return nil, failed(st)
}

func notThere() error {
	return statusError{erpc.NewStatusByCodeText(erpc.CodeNotFound, "the peer does not have these methods", false)}
}

// runList prints the methods of a peer, or of .proto files.
func runList(ctx context.Context, o *options, args []string) error {
	set, err := o.descriptors(ctx)
	if err != nil {
		return err
	}
	prefixes := args
	if set == nil {
		prefixes = args[min(1, len(args)):]
	}
	if len(prefixes) > 1 || set == nil && len(args) == 0 {
		return usagef("list takes TARGET [PREFIX], or -proto FILE [PREFIX]")
	}
	prefix := strings.Join(prefixes, "")
	if set != nil {
		var list []reflect.Method
		for _, m := range set.Methods() {
			if strings.HasPrefix(m.Name, prefix) {
				list = append(list, m.Method)
			}
		}
		return o.printMethods(list)
	}
	return o.reflect(ctx, args[0], func(ctx context.Context, sess erpc.Session) error {
		list, err := ask[reflect.List](ctx, o, sess, reflect.ListMethod, &reflect.ListArg{Prefix: prefix})
		if err != nil {
			return err
		}
		return o.printMethods(list.Methods)
	})
}

func (o *options) printMethods(list []reflect.Method) error {
	if o.format == "json" {
		for _, m := range list {
			if err := o.line(m); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(o.std.out, 0, 8, 2, ' ', 0)
	for _, m := range list {
		// Color every cell of a column or none, so that the widths agree.
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.paint(dim, harmless(kindOf(m))), o.paint(bold, harmless(m.Name)), harmless(m.Arg), harmless(m.Result), harmless(m.Doc))
	}
	return w.Flush()
}

// kindOf names the kind of a method, with the shape of a stream.
func kindOf(m reflect.Method) string {
	if m.Shape == "" {
		return m.Kind
	}
	return m.Kind + " (" + m.Shape + ")"
}

// runDescribe prints the descriptions of methods, one after another.
func runDescribe(ctx context.Context, o *options, args []string) error {
	set, err := o.descriptors(ctx)
	switch {
	case err != nil:
		return err
	case set == nil && len(args) < 2 || len(args) < 1:
		return usagef("describe takes TARGET METHOD..., or -proto FILE METHOD...")
	case set != nil:
		return o.describeFiles(set, args)
	}
	return o.reflect(ctx, args[0], func(ctx context.Context, sess erpc.Session) error {
		d, err := ask[reflect.Descriptions](ctx, o, sess, reflect.DescribeMethod, &reflect.DescribeArg{Names: args[1:]})
		if err != nil {
			return err
		}
		if len(d.Methods) == 0 {
			return notThere()
		}
		for _, about := range d.Methods {
			if o.codec == "protobuf" && about.ArgMessage != "" {
				m, err := described(d, about)
				if err != nil {
					return err
				}
				about.ArgSchema, about.ResultSchema = descriptors.SchemaOf(m.In), descriptors.SchemaOf(m.Out)
			}
			if err := o.printDescription(about); err != nil {
				return err
			}
		}
		return nil
	})
}

// describeFiles describes methods of .proto files.
func (o *options) describeFiles(set *descriptors.Set, names []string) error {
	for _, name := range names {
		m, err := methodOf(set, name)
		if err != nil {
			return err
		}
		about := reflect.Description{Method: m.Method, ArgMessage: m.Arg, ResultMessage: m.Result}
		about.ArgSchema, about.ResultSchema = descriptors.SchemaOf(m.In), descriptors.SchemaOf(m.Out)
		if err := o.printDescription(about); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) printDescription(about reflect.Description) error {
	v := any(about)
	if o.template {
		v = about.ArgSchema.Example()
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.std.out, o.paintJSON(harmlessJSON(text)))
	return err
}

// reflect dials and runs f within the timeout.
func (o *options) reflect(ctx context.Context, to string, f func(context.Context, erpc.Session) error) error {
	p, sess, err := o.dial(ctx, to, nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // an error does not change the outcome
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
	_, err = fmt.Fprintln(o.std.out, o.paintJSON(harmlessJSON(text)))
	return err
}
