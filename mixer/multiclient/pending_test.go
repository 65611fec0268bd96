package multiclient_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/multiclient"
)

// TestAsyncCallDoesNotWaitForADial calls while every dial hangs. In the bubble a
// caller that waited would show as time that has passed.
func TestAsyncCallDoesNotWaitForADial(t *testing.T) {
	const calls = 20
	bubble(t, 2, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		open := r.net.close()
		start := time.Now()
		cmds := make([]erpc.CallCmd, calls)
		done := make(chan erpc.CallCmd) // without room
		var settings atomic.Int32
		count := func(erpc.Message) { settings.Add(1) }
		for i := range cmds {
			cmds[i] = c.AsyncCall("/who", 1, new(string), done, erpc.WithSetMeta("k", "v"), count)
			out := cmds[i].Output()
			if cmds[i].Session() != nil || out.ServiceMethod() != "/who" || string(out.Meta().Peek("k")) != "v" {
				t.Fatalf("a call that waits has %v, %v", cmds[i].Session(), out)
			}
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("the callers waited %v", d)
		}
		synctest.Wait()
		check(t, c, multiclient.Stats{Dialing: 2, Pending: calls})
		if n := r.net.dials.Load(); n != 2 {
			t.Errorf("%d dials for a quota of 2", n)
		}
		open()
		for range calls {
			cmd := <-done
			if st := cmd.Status(); !st.OK() || cmd.Session() == nil || !cmd.Sent() {
				t.Errorf("%v, over %v, sent: %v", st, cmd.Session(), cmd.Sent())
			}
		}
		if n := settings.Load(); n != calls {
			t.Errorf("the settings of %d calls ran %d times", calls, n)
		}
		synctest.Wait()
		check(t, c, multiclient.Stats{Worker: 2, Idle: 2, Created: 2, Done: calls})
	})
}

// TestSettingsRunOnce covers what does wait.
func TestSettingsRunOnce(t *testing.T) {
	bubble(t, 1, func(t *testing.T, _ *rig, c *multiclient.MultiClient) {
		n := 0
		count := func(m erpc.Message) {
			n++
			if m.ServiceMethod() == "" || m.Body() == nil {
				t.Errorf("a setting saw %v", m)
			}
		}
		if st := c.Call("/who", 1, nil, count).Status(); !st.OK() {
			t.Error(st)
		}
		if st := c.Push("/note", 1, count); !st.OK() {
			t.Error(st)
		}
		if n != 2 {
			t.Errorf("the settings of a call and a push ran %d times", n)
		}
	})
}

// TestPendingCallsEnd sees that each way to end a call ends one that waits for a
// session, unsent.
func TestPendingCallsEnd(t *testing.T) {
	end := func(t *testing.T, cmd erpc.CallCmd, code int32) {
		t.Helper()
		start := time.Now()
		if st := cmd.Status(); st.Code() != code || cmd.Sent() || cmd.Session() != nil || time.Since(start) > 0 {
			t.Errorf("%v after %v, sent: %v; want %d", st, time.Since(start), cmd.Sent(), code)
		}
	}
	bubble(t, 1, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		open := r.net.close()
		defer open()
		ctx, cancel := context.WithCancel(t.Context())
		late, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		first := c.AsyncCall("/who", 1, nil, nil) // this one dials
		cancelled := c.AsyncCall("/who", 1, nil, nil)
		withContext := c.AsyncCall("/who", 1, nil, nil, erpc.WithContext(ctx))
		timedOut := c.AsyncCall("/who", 1, nil, nil, erpc.WithContext(late))
		rest := c.AsyncCall("/who", 1, nil, nil)
		cancelled.Cancel()
		end(t, cancelled, erpc.CodeCanceled)
		cancel()
		end(t, withContext, erpc.CodeCanceled)
		time.Sleep(time.Second)
		end(t, timedOut, erpc.CodeHandleTimeout)
		first.Cancel() // the next one dials
		end(t, first, erpc.CodeCanceled)
		synctest.Wait()
		check(t, c, multiclient.Stats{Dialing: 1, Pending: 1})
		c.Close()
		end(t, rest, erpc.CodeWrongConn)
		closed := c.AsyncCall("/who", 1, nil, nil)
		end(t, closed, erpc.CodeWrongConn)
		if !errors.Is(closed.Status().Cause(), multiclient.ErrClosed) {
			t.Error(closed.Status())
		}
		synctest.Wait()
		check(t, c, multiclient.Stats{})
	})
}

func TestPendingCallsAreBounded(t *testing.T) {
	bubble(t, 1, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		open := r.net.close()
		for range multiclient.MaxPending {
			c.AsyncCall("/note", 1, nil, nil)
		}
		if st := c.AsyncCall("/note", 1, nil, nil).Status(); st.Code() != erpc.CodeExhausted {
			t.Errorf("one call more: %v", st)
		}
		c.Close()
		open()
		synctest.Wait()
		check(t, c, multiclient.Stats{})
	})
}
