package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// A healthyOpener is a duet's session whose health a test sets.
type healthyOpener struct {
	StreamOpener
	healthy bool
}

func (o healthyOpener) Health() bool { return o.healthy }

// Uploads and downloads continue behind the bytes that have arrived, however often
// they are cut, and the progress counts from the start of the whole.
func TestResumeContinuesBehindWhatHasArrived(t *testing.T) {
	want := content(5*chunkSize + 7)
	lost := message.NewStatus(message.CodeConnClosed, "")
	for _, way := range []string{"upload", "download"} {
		t.Run(way, func(t *testing.T) {
			var got []byte // by the receiver
			h := HandleUpload(func(_ context.Context, r io.Reader) error {
				b, err := io.ReadAll(io.LimitReader(r, 2*chunkSize))
				got = append(got, b...)
				if err == nil && len(b) == 2*chunkSize {
					err = lost.Err()
				}
				return err
			})
			if way == "download" {
				h = HandleDownload(func(_ context.Context, w io.Writer) error {
					rest := want[len(got):]
					_, err := w.Write(rest[:min(len(rest), 2*chunkSize)])
					if err == nil && len(rest) > 2*chunkSize {
						err = lost.Err()
					}
					return err
				})
			}
			duets(t, routes{stream: streamOf(h)}, func(d *duet) {
				got = nil
				var offsets, progress []int64
				t := Transfer{Progress: func(n int64) { progress = append(progress, n) }}
				err := t.Resume(d.Context(), d.here, func(t Transfer) error {
					t.Offset = int64(len(got))
					offsets = append(offsets, t.Offset)
					if way == "upload" {
						return t.Upload(d.Context(), d.here, "/s", bytes.NewReader(want[t.Offset:]))
					}
					r, err := t.Download(d.Context(), d.here, "/s")
					if err != nil {
						return err
					}
					defer r.Close()
					b, err := io.ReadAll(r)
					got = append(got, b...)
					return err
				})
				if err != nil || !bytes.Equal(got, want) {
					d.Fatalf("%d of %d bytes arrived: %v", len(got), len(want), err)
				}
				if !slices.Equal(offsets, []int64{0, 2 * chunkSize, 4 * chunkSize}) {
					d.Errorf("offsets %v", offsets)
				}
				if n := len(progress); n == 0 || progress[0] != chunkSize || progress[n-1] != int64(len(want)) {
					d.Errorf("progress %v", progress)
				}
			})
		})
	}
}

// When Resume makes another attempt, and how it ends.
func TestResumeEnds(t *testing.T) {
	const busy = 1001
	status := func(code int32) error { return message.NewStatus(code, "").Err() }
	again := func(err error) bool { return code(err) == busy }
	for _, c := range []struct {
		name     string
		errs     []error // of the attempts; the last one repeats
		again    func(error) bool
		unwell   bool // the session has ended
		attempts int
		code     int32
	}{
		{name: "at once", errs: []error{nil}, attempts: 1},
		{name: "after failures of the connection", errs: []error{status(message.CodeConnClosed), status(message.CodeWriteFailed),
			status(message.CodeDialFailed), status(message.CodeShuttingDown), nil}, attempts: 5},
		{name: "by an error of the handler", errs: []error{status(message.CodeConnClosed), status(busy)}, attempts: 2, code: busy},
		{name: "after an error that Again accepts", errs: []error{status(busy), nil}, again: again, attempts: 2},
		{name: "by an error that Again refuses", errs: []error{status(busy), status(1002)}, again: again, attempts: 2, code: 1002},
		{name: "with the session", errs: []error{status(message.CodeConnClosed)}, unwell: true, attempts: 1, code: message.CodeConnClosed},
		{name: "after too many attempts", errs: []error{status(message.CodeDialFailed)}, attempts: maxStalls, code: message.CodeDialFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				attempts := 0
				err := Transfer{Again: c.again}.Resume(t.Context(), healthyOpener{nil, !c.unwell}, func(Transfer) error {
					attempts++
					return c.errs[min(attempts, len(c.errs))-1]
				})
				if code(err) != c.code || (err == nil) != (c.code == message.CodeOK) || attempts != c.attempts {
					t.Errorf("%d attempts: %v", attempts, err)
				}
			})
		})
	}
}

// The pauses grow while nothing is transferred. Bytes make them short again, and
// start the count of attempts again.
func TestPausesOfResume(t *testing.T) {
	lost := message.NewStatus(message.CodeConnClosed, "").Err()
	bubble(t, func(t *testing.T) {
		var pauses []time.Duration
		var calls int
		last := time.Now()
		err := Transfer{}.Resume(t.Context(), healthyOpener{nil, true}, func(next Transfer) error {
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			if calls++; calls == maxStalls-1 {
				next.Progress(1)
			}
			return lost
		})
		if code(err) != message.CodeConnClosed || calls != 2*maxStalls-1 {
			t.Fatalf("%d attempts: %v", calls, err)
		}
		for i, pause := range pauses[1:] {
			want := min(resubscribeFirst<<i, resubscribeLongest)
			if i >= maxStalls-2 {
				want = min(resubscribeFirst<<(i-maxStalls+2), resubscribeLongest)
			}
			if pause != want {
				t.Errorf("pause %d is %v, want %v", i, pause, want)
			}
		}
	})
}

func TestContextEndsResume(t *testing.T) {
	lost := message.NewStatus(message.CodeConnClosed, "").Err()
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), resubscribeFirst/2) // within the first pause
		defer cancel()
		began := time.Now()
		if err := (Transfer{}).Resume(ctx, healthyOpener{nil, true}, func(Transfer) error { return lost }); !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != resubscribeFirst/2 {
			t.Errorf("it took %v", took)
		}
		cancel()
		attempts := 0
		_ = Transfer{}.Resume(ctx, healthyOpener{nil, true}, func(Transfer) error { attempts++; return lost })
		if attempts != 1 {
			t.Errorf("%d attempts after the end of the context", attempts)
		}
	})
}

// A session that does not redial ends Resume at once, when it is closed and when its
// other side ends it during a transfer.
func TestResumeEndsWithARealSession(t *testing.T) {
	h := streamOf(HandleDownload(func(ctx context.Context, w io.Writer) error {
		_, err := w.Write(content(2 * chunkSize))
		return errors.Join(err, CallCtxFrom(ctx).Session().Close())
	}))
	duets(t, routes{stream: h}, func(d *duet) {
		for _, when := range []string{"during it", "before it"} {
			attempts, began := 0, time.Now()
			err := Transfer{}.Resume(d.Context(), d.here, func(t Transfer) error {
				attempts++
				r, err := t.Download(d.Context(), d.here, "/s")
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = io.Copy(io.Discard, r)
				return err
			})
			if code(err) != message.CodeConnClosed || attempts != 1 || time.Since(began) != 0 {
				d.Errorf("%s: %d attempts, %v: %v", when, attempts, time.Since(began), err)
			}
		}
	})
}
