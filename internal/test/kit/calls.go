package kit

import (
	"context"
	"os"
	"testing"

	"github.com/goerpc/erpc"
)

// Times returns how often a test repeats something: quick, or full with
// ERPC_CASES=full.
func Times(quick, full int) int {
	if os.Getenv("ERPC_CASES") == "full" {
		return full
	}
	return quick
}

// Sum is the argument of most handlers of these tests, which add its fields.
type Sum struct{ A, B int }

func Add(_ context.Context, s *Sum) (*int, error) {
	n := s.A + s.B
	return &n, nil
}

func Same(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil }

// CountUp is a handler of streams: it sends all numbers below the one that it receives.
func CountUp(_ context.Context, s *erpc.Stream[int, int]) error {
	n, err := s.Recv()
	if err != nil {
		return err
	}
	for i := range *n {
		if err := s.Send(&i); err != nil {
			return err
		}
	}
	return nil
}

// AddUp is a handler of streams: it sends the sum of all numbers that it receives.
func AddUp(_ context.Context, s *erpc.Stream[int, int]) error {
	sum := 0
	for n, err := range s.All() {
		if err != nil {
			return err
		}
		sum += *n
	}
	return s.Send(&sum)
}

// Answers fails the test if a call does not get its reply.
func Answers(t testing.TB, s erpc.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Bound)
	defer cancel()
	n, err := erpc.Call[int](ctx, s, "/add", &Sum{3, 4})
	if err != nil || *n != 7 {
		t.Errorf("call of /add: %v, %v", n, err)
	}
}

// WantCode fails the test unless st has that code.
func WantCode(t testing.TB, what string, st *erpc.Status, code int32) {
	t.Helper()
	if st.Code() != code {
		t.Errorf("%s: status %v, want code %d", what, st, code)
	}
}
