package cluster

import "context"

// An Engine carries live messages between nodes: at most once, and in order for
// one publisher and subject. Two subjects have no common order, but an arriving
// message guarantees two things. First, what its publisher has published before
// it, to any subject, is not lost if the publisher's connection breaks. Second,
// what the receiving node publishes from then on reaches the publisher by every
// subject that the publisher had subscribed to before. All methods may be
// called concurrently.
type Engine interface {
	// Start connects. From then until Close, the engine calls ev.
	Start(ctx context.Context, ev Events) error
	// Subscribe returns once the subscription is active. The engine restores it
	// when it reconnects. Subjects consist of letters, digits, '-', '_' and '.'.
	Subscribe(ctx context.Context, subject string) error
	// Unsubscribe may return before the last message was delivered.
	Unsubscribe(subject string) error
	// Publish sends data, which must not be modified afterwards. It does not
	// block: while the engine is disconnected it returns ErrDown. If token is not
	// 0 and subject has no subscribers, the engine calls Events.Nobody with token.
	Publish(subject string, token uint64, data []byte) error
	// MaxPayload returns the maximum size of data for Publish, in bytes.
	MaxPayload() int
	// Close ends the engine. After it has returned, the engine does not call
	// Events.
	Close() error
}

// Events receives what an engine reports to its node. The methods return
// quickly. Methods with a subject are not called concurrently for the same
// subject.
type Events interface {
	// Message delivers data, which is not modified afterwards.
	Message(subject string, data []byte)
	// Stored is Message for messages that a [Log] keeps. prev is the Seq of the
	// previous message of the same subject, or 0 if none is kept.
	Stored(subject string, at Position, prev uint64, data []byte)
	// Nobody reports that the Publish with token had no subscribers.
	Nobody(token uint64)
	// Dropped reports that messages of a subject were lost; "" means all subjects.
	Dropped(subject string)
	// Down reports that the engine is disconnected, and Up that it is connected
	// again. Messages in between are lost.
	Down(err error)
	Up()
}
