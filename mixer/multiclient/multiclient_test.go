package multiclient_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/multiclient"
)

const idle = time.Minute

// bubble runs f with a rig and a pool in it.
func bubble(t *testing.T, quota int, f func(t *testing.T, r *rig, c *multiclient.MultiClient)) {
	synctest.Test(t, func(t *testing.T) {
		r := setUp(t)
		c := multiclient.New(r.client, addr, quota, idle)
		t.Cleanup(c.Close)
		f(t, r, c)
	})
}

func TestQuotaUnderConcurrency(t *testing.T) {
	const quota, calls = 4, 40
	bubble(t, quota, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		open := r.net.close()
		done := make(chan erpc.CallCmd, calls)
		for range calls {
			go func() { done <- c.Call("/wait", 1, new(string)) }()
		}
		synctest.Wait()
		check(t, c, multiclient.Stats{Dialing: quota})
		open()
		synctest.Wait()
		check(t, c, multiclient.Stats{Worker: quota, Created: quota, Doing: calls, MaxLoad: calls / quota, MinLoad: calls / quota})
		close(r.let)
		sessions := map[string]int{}
		for range calls {
			cmd := <-done
			result, st := cmd.Reply()
			if !st.OK() {
				t.Fatal(st)
			}
			sessions[*result.(*string)]++
		}
		if len(sessions) != quota {
			t.Errorf("calls were spread as %v", sessions)
		}
		if most := r.most.Load(); most != quota {
			t.Errorf("%d sessions at the same time, want %d", most, quota)
		}
		check(t, c, multiclient.Stats{Worker: quota, Idle: quota, Created: quota, Done: calls})
	})
}

func TestIdleSessionServesAgain(t *testing.T) {
	bubble(t, 4, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		for range 10 {
			if st := c.Call("/who", 1, nil).Status(); !st.OK() {
				t.Fatal(st)
			}
			if st := c.Push("/note", 1); !st.OK() {
				t.Fatal(st)
			}
		}
		check(t, c, multiclient.Stats{Worker: 1, Idle: 1, Created: 1, Done: 20})
		synctest.Wait()
		if len(r.notes) != 10 {
			t.Errorf("%d pushes arrived", len(r.notes))
		}
	})
}

// TestLeastLoaded gives two sessions 3 calls and 1, and sees where the next go.
func TestLeastLoaded(t *testing.T) {
	bubble(t, 2, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		var calls []erpc.CallCmd
		wait := func() {
			calls = append(calls, c.AsyncCall("/wait", 1, new(string), nil))
			synctest.Wait()
		}
		for range 4 {
			wait()
		}
		check(t, c, multiclient.Stats{Worker: 2, Created: 2, Doing: 4, MaxLoad: 2, MinLoad: 2})
		first, second := calls[0].Session(), calls[1].Session()
		if first == second || calls[2].Session() == calls[3].Session() {
			t.Fatal("calls were not spread")
		}
		for _, cmd := range calls {
			if cmd.Session() == second {
				cmd.Cancel()
			}
		}
		synctest.Wait()
		check(t, c, multiclient.Stats{Worker: 2, Idle: 1, Created: 2, Doing: 2, Done: 2, MaxLoad: 2})
		wait()
		if calls[4].Session() != second {
			t.Error("a call went to the busy session, not to the idle one")
		}
		if st := c.Push("/note", 1); !st.OK() {
			t.Fatal(st)
		}
		wait()
		if calls[5].Session() != second {
			t.Error("a call went to the session with 2 calls, not to that with 1")
		}
		if got := <-r.notes; got != second.LocalAddr().String() {
			t.Errorf("the push went over %s, want %s", got, second.LocalAddr())
		}
		// What others do with a session counts too.
		for range 3 {
			calls = append(calls, second.AsyncCall("/wait", 1, nil, nil))
		}
		synctest.Wait()
		wait()
		if calls[len(calls)-1].Session() != first {
			t.Error("the calls of others did not count")
		}
		close(r.let)
		for _, cmd := range calls {
			<-cmd.Done()
		}
	})
}

func TestIdleSessionsAreClosed(t *testing.T) {
	bubble(t, 3, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		done := make(chan erpc.CallCmd, 3)
		for range 3 {
			c.AsyncCall("/wait", 1, nil, done)
			synctest.Wait()
		}
		time.Sleep(10 * idle) // calls in flight keep their sessions
		check(t, c, multiclient.Stats{Worker: 3, Created: 3, Doing: 3, MaxLoad: 1, MinLoad: 1})
		r.let <- struct{}{}
		r.let <- struct{}{}
		<-done
		<-done
		time.Sleep(idle - time.Second)
		if s := c.Stats(); s.Worker != 3 || s.Idle != 2 {
			t.Errorf("before the idle time: %+v", s)
		}
		time.Sleep(2 * time.Second)
		if s := c.Stats(); s.Worker != 1 || r.server.CountSession() != 1 {
			t.Errorf("behind the idle time: %+v, %d at the server", s, r.server.CountSession())
		}
		r.let <- struct{}{}
		<-done
		for range 5 { // whoever is used now and then stays
			time.Sleep(idle - time.Second)
			if st := c.Push("/note", 1); !st.OK() {
				t.Fatal(st)
			}
		}
		check(t, c, multiclient.Stats{Worker: 1, Idle: 1, Created: 3, Done: 8})
		time.Sleep(idle + time.Second)
		if n := r.client.CountSession(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		if st := c.Call("/who", 1, nil).Status(); !st.OK() { // and it begins again
			t.Fatal(st)
		}
		time.Sleep(idle + time.Second)
		check(t, c, multiclient.Stats{Created: 4, Done: 9})
	})
}

func TestBrokenSessionsAreReplaced(t *testing.T) {
	bubble(t, 2, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		first := c.AsyncCall("/wait", 1, nil, nil)
		synctest.Wait()
		second := c.AsyncCall("/wait", 1, nil, nil)
		synctest.Wait()
		r.server.RangeSession(func(s erpc.Session) bool {
			if s.RemoteAddr().String() == first.Session().LocalAddr().String() {
				_ = s.Close() // the pool is what is tested
			}
			return true
		})
		if code := first.Status().Code(); code != erpc.CodeConnClosed {
			t.Errorf("code %d of a call whose connection broke", code)
		}
		synctest.Wait()
		check(t, c, multiclient.Stats{Worker: 1, Created: 2, Doing: 1, Done: 1, MaxLoad: 1, MinLoad: 1})
		var who string
		if st := c.Call("/who", 1, &who).Status(); !st.OK() || who == second.Session().LocalAddr().String() {
			t.Errorf("%v, over the busy session %s", st, who)
		}
		check(t, c, multiclient.Stats{Worker: 2, Idle: 1, Created: 3, Doing: 1, Done: 2, MaxLoad: 1})
		close(r.let)
		<-second.Done()
	})
}

func TestDialFails(t *testing.T) {
	bubble(t, 2, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		r.net.kill(true)
		done := make(chan erpc.CallCmd, 1)
		cmd := c.AsyncCall("/who", 7, nil, done)
		if st := cmd.Status(); st.Code() != erpc.CodeDialFailed || !strings.Contains(st.Cause().Error(), errNoWay.Error()) {
			t.Errorf("status %v", st)
		}
		if cmd.Sent() || c.Call("/who", 7, nil).Sent() {
			t.Error("a call counts as sent though no session was dialed")
		}
		if <-done != cmd {
			t.Error("another command arrived")
		}
		if st := c.Push("/note", 1); st.Code() != erpc.CodeDialFailed {
			t.Errorf("push: %v", st)
		}
		check(t, c, multiclient.Stats{})

		r.net.kill(false)
		time.Sleep(2 * time.Second) // the pool forgets
		busy := c.AsyncCall("/wait", 1, nil, nil)
		synctest.Wait()
		r.net.kill(true)
		dials := r.net.dials.Load()
		for range 3 { // a busy session is better than none
			var who string
			if st := c.Call("/who", 1, &who).Status(); !st.OK() || who != busy.Session().LocalAddr().String() {
				t.Errorf("%v, over %q", st, who)
			}
		}
		if n := r.net.dials.Load() - dials; n != 1 {
			t.Errorf("%d dials for three calls at once", n)
		}
		time.Sleep(2 * time.Second)
		r.net.kill(false)
		if st := c.Call("/who", 1, nil).Status(); !st.OK() || c.Stats().Worker != 2 {
			t.Errorf("when the server can be reached again: %v, %+v", st, c.Stats())
		}
		close(r.let)
		<-busy.Done()
	})
}

func TestContextBoundsTheWait(t *testing.T) {
	bubble(t, 1, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		open := r.net.close()
		defer open()
		ctx, cancel := context.WithCancel(t.Context())
		late, cancelLate := context.WithTimeout(t.Context(), time.Second)
		defer cancelLate()
		var dialing, waiting *erpc.Status
		var wg sync.WaitGroup
		wg.Go(func() { dialing = c.Call("/who", 1, nil, erpc.WithContext(ctx)).Status() })
		synctest.Wait()
		wg.Go(func() { waiting = c.Push("/note", 1, erpc.WithContext(late)) })
		time.Sleep(2 * time.Second)
		cancel()
		wg.Wait()
		if dialing.Code() != erpc.CodeCanceled || waiting.Code() != erpc.CodeHandleTimeout {
			t.Errorf("who dialed: %v; who waited for that: %v", dialing, waiting)
		}
		synctest.Wait() // the dial ends a little later than its caller
		check(t, c, multiclient.Stats{})
	})
}

// TestWaitersGoOn sees that whoever waits for the dial of another dials when that
// one has given up.
func TestWaitersGoOn(t *testing.T) {
	bubble(t, 1, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		open := r.net.close()
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp, served := make(chan *erpc.Status, 1), make(chan *erpc.Status, 1)
		go func() { gaveUp <- c.Push("/note", 1, erpc.WithContext(ctx)) }()
		synctest.Wait()
		go func() { served <- c.Push("/note", 1) }()
		synctest.Wait()
		cancel()
		if st := <-gaveUp; st.Code() != erpc.CodeCanceled {
			t.Errorf("who gave up: %v", st)
		}
		open()
		if st := <-served; !st.OK() {
			t.Errorf("who waited: %v", st)
		}
		check(t, c, multiclient.Stats{Worker: 1, Idle: 1, Created: 1, Done: 1})
	})
}

// TestFreedSessionServesWaiters sees that whoever waits for a dial, as the sessions
// there are busier, does not wait on when one of these is free again.
func TestFreedSessionServesWaiters(t *testing.T) {
	bubble(t, 2, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		first := c.AsyncCall("/wait", 1, nil, nil)
		synctest.Wait()
		busy := first.Session()
		r.net.kill(true) // so that the next two go there too
		for range 2 {
			c.AsyncCall("/wait", 1, nil, nil)
			synctest.Wait()
		}
		r.net.kill(false)
		time.Sleep(2 * time.Second) // the pool forgets
		check(t, c, multiclient.Stats{Worker: 1, Created: 1, Doing: 3, MaxLoad: 3, MinLoad: 3})
		open := r.net.close()
		served := make(chan string, 2)
		for range cap(served) { // the first of them dials
			go func() {
				var who string
				if st := c.Call("/who", 1, &who).Status(); !st.OK() {
					t.Error(st)
				}
				served <- who
			}()
			synctest.Wait()
		}
		if len(served) > 0 {
			t.Error("a call was sent behind three others")
		}
		close(r.let)
		if got := <-served; got != busy.LocalAddr().String() {
			t.Errorf("served over %s", got)
		}
		open()
		if got := <-served; got == busy.LocalAddr().String() {
			t.Error("who dialed did not use what was dialed")
		}
	})
}

// TestHangingDial sees that calls go on over a healthy session while the second
// dial of the pool hangs: the first waits a moment, the others do not wait.
func TestHangingDial(t *testing.T) {
	bubble(t, 4, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		busy := c.AsyncCall("/wait", 1, nil, nil)
		synctest.Wait()
		open := r.net.close()
		dials := r.net.dials.Load()
		start := time.Now()
		for range 20 {
			if st := c.Call("/who", 1, nil).Status(); !st.OK() {
				t.Fatal(st)
			}
		}
		if d := time.Since(start); d > 100*time.Millisecond {
			t.Errorf("20 calls took %v beside a dial that hangs", d)
		}
		if n := r.net.dials.Load() - dials; n != 1 {
			t.Errorf("%d dials while one hangs", n)
		}
		open()
		synctest.Wait()
		check(t, c, multiclient.Stats{Worker: 2, Idle: 1, Created: 2, Doing: 1, Done: 20, MaxLoad: 1})
		close(r.let)
		<-busy.Done()
	})
}

func TestCloseEndsCalls(t *testing.T) {
	bubble(t, 2, func(t *testing.T, r *rig, c *multiclient.MultiClient) {
		waiting := c.AsyncCall("/wait", 1, nil, nil)
		synctest.Wait()
		open := r.net.close()
		defer open()
		dialing := make(chan *erpc.Status, 1)
		go func() { dialing <- c.Call("/who", 1, nil).Status() }()
		synctest.Wait()
		check(t, c, multiclient.Stats{Worker: 1, Dialing: 1, Created: 1, Doing: 1, MaxLoad: 1, MinLoad: 1})
		c.Close()
		c.Close()
		if code := waiting.Status().Code(); code != erpc.CodeConnClosed {
			t.Errorf("code %d of a call in flight", code)
		}
		closed := func(what string, st *erpc.Status) {
			if st.Code() != erpc.CodeWrongConn || st.Cause().Error() != multiclient.ErrClosed.Error() {
				t.Errorf("%s: %v", what, st)
			}
		}
		closed("a call that dialed", <-dialing)
		closed("a call afterwards", c.Call("/who", 1, nil).Status())
		closed("a push afterwards", c.Push("/note", 1))
		synctest.Wait()
		check(t, c, multiclient.Stats{Created: 1, Done: 1})
		if n := r.client.CountSession(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestDefaults(t *testing.T) {
	p := erpc.NewPeer(erpc.PeerConfig{})
	defer p.Close()
	c := multiclient.New(p, addr, 0, -1)
	defer c.Close()
	if c.Peer() != p || c.Addr() != addr {
		t.Error("Peer or Addr is not what New got")
	}
	check(t, c, multiclient.Stats{})
}
