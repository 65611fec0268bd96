package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// progressEvery is how often the progress line is written.
const progressEvery = time.Second

// progress shows a progress line on standard error, if that is a terminal,
// until the returned function is called.
func (o *options) progress(line func(elapsed time.Duration) string) (stop func()) {
	if !terminal(o.std.err) {
		return func() {}
	}
	return showProgress(o.std.err, line)
}

// showProgress repeatedly writes a line in the same place, and finally removes
// it.
func showProgress(w io.Writer, line func(elapsed time.Duration) string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		begin := time.Now()
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(w, "\r\x1b[K%s", line(time.Since(begin)))
			case <-ctx.Done():
				fmt.Fprint(w, "\r\x1b[K")
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
