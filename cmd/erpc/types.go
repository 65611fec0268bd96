package main

import (
	"context"
	"flag"
	"fmt"
	"slices"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/typescript"
	"github.com/goerpc/erpc/plugin/reflect"
)

func typesFlags(o *options, fs *flag.FlagSet) {
	fs.StringVar(&o.module, "import", "@goerpc/erpc", "`module` of the client that the generated file imports")
}

// describedAtOnce is how many methods a peer describes in one answer.
const describedAtOnce = 100

// runTypes prints the types of methods for TypeScript.
func runTypes(ctx context.Context, o *options, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return usagef("types takes TARGET [PREFIX]")
	}
	arg := &reflect.ListArg{}
	if len(args) == 2 {
		arg.Prefix = args[1]
	}
	return o.reflect(ctx, args[0], func(ctx context.Context, sess erpc.Session) error {
		list, err := ask[reflect.List](ctx, o, sess, reflect.ListMethod, arg)
		if err != nil {
			return err
		}
		var names []string
		for _, m := range list.Methods {
			if !slices.Contains(names, m.Name) { // a call and a push may share a name
				names = append(names, m.Name)
			}
		}
		var all []reflect.Description
		for some := range slices.Chunk(names, describedAtOnce) {
			d, err := ask[reflect.Descriptions](ctx, o, sess, reflect.DescribeMethod, &reflect.DescribeArg{Names: some})
			if err != nil {
				return err
			}
			all = append(all, d.Methods...)
		}
		_, err = fmt.Fprint(o.std.out, harmlessJSON([]byte(typescript.Declarations(all, o.module))))
		return err
	})
}
