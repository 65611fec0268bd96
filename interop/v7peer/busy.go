package main

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/andeya/erpc/v7"
)

// busyCounts is what became of the calls of [client.busy]: how many succeeded, and
// how many failed with each code.
type busyCounts struct {
	OK     int            `json:"ok"`
	Failed map[string]int `json:"failed"`
}

// busy makes calls, one after another from each of n callers, until the session has
// ended. A caller whose call fails with the connection makes no other: v7 may notice
// the end much later than its writers do, and each call until then would fail too.
func (c *client) busy(n int) outcome {
	var (
		mu     sync.Mutex // guards the following
		counts = busyCounts{Failed: map[string]int{}}
		failed error
		wg     sync.WaitGroup
	)
	count := func(st *erpc.Status, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			failed = err
		case st.OK():
			counts.OK++
		default:
			counts.Failed[strconv.Itoa(int(st.Code()))]++
		}
	}
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for c.sess.Health() {
				var sum int
				cmd, err := c.call("/math/add", []int{1, 2, 3}, &sum)
				if err != nil {
					count(nil, fmt.Errorf("a call of a busy session: %w", err))
					return
				}
				st := cmd.Status()
				count(st, nil)
				if st.Code() == erpc.CodeConnClosed || st.Code() == erpc.CodeWriteFailed {
					<-c.sess.CloseNotify()
					return
				}
			}
		}()
	}
	wg.Wait()
	return outcome{got: counts, err: failed}
}
