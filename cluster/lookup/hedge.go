package lookup

import (
	"context"
	"reflect"
	"time"

	"github.com/goerpc/erpc"
)

// An attempt is one of the two calls of a hedged call. It has its own result,
// because both may end at the same time.
type attempt struct {
	cmd    erpc.CallCmd
	result reflect.Value
}

// hedged makes a call and, after HedgeAfter, a second one with another
// instance. The first answer is the outcome, even if it is an error of the
// handler, which the other instance would return as well; the other call is
// canceled. If both instances fail, the outcome is that of the last attempt.
func (c *Client) hedged(ctx context.Context, method string, arg, result any, settings []erpc.MessageSetting) erpc.CallCmd {
	into := reflect.ValueOf(result)
	if into.Kind() != reflect.Pointer || into.IsNil() {
		return c.try(ctx, nil, method, arg, result, settings)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan attempt, 2)
	first, st := c.acquire(ctx, nil)
	if !st.OK() {
		return erpc.NewUnsentCallCmd(method, arg, result, st)
	}
	start := func(make func(result any) erpc.CallCmd) {
		own := reflect.New(into.Type().Elem())
		go func() { ended <- attempt{make(own.Interface()), own} }()
	}
	settings = append(settings[:len(settings):len(settings)], erpc.WithContext(ctx))
	start(func(result any) erpc.CallCmd { return c.once(ctx, first, method, arg, result, settings) })
	timer := time.NewTimer(c.opt.HedgeAfter)
	defer timer.Stop()
	second := func() {
		start(func(result any) erpc.CallCmd {
			return c.try(ctx, []*target{first}, method, arg, result, settings)
		})
	}
	for running, hedged := 1, false; ; {
		select {
		case <-timer.C:
			if !hedged {
				running, hedged = running+1, true
				second()
			}
		case a := <-ended:
			running--
			st := a.cmd.Status()
			if st.OK() {
				into.Elem().Set(a.result.Elem())
			}
			if !failure(st) {
				return a.cmd
			}
			if !hedged && ctx.Err() == nil && c.repeatable(method, a.cmd, st) {
				running, hedged = running+1, true
				second()
			}
			if running == 0 {
				return a.cmd
			}
		}
	}
}
