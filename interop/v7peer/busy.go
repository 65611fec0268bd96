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
// ended.
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
				count(cmd.Status(), nil)
			}
		}()
	}
	wg.Wait()
	return outcome{got: counts, err: failed}
}
