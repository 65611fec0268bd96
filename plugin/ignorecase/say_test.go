package ignorecase_test

import (
	"context"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wiretest"
)

// says returns a handler that answers with one text.
func says(text string) func(context.Context, *struct{}) (*string, error) {
	return func(context.Context, *struct{}) (*string, error) { return &text, nil }
}

func await[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wiretest.Limit):
		t.Fatalf("nothing within %s", wiretest.Limit)
		panic("not reached")
	}
}
