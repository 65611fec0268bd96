package cluster

import "context"

// An Engine carries live messages between nodes: at most once, and in order for
// one publisher and subject. Two subjects have no common order, but a message that
// arrives shows two things. What its publisher has published before, to whatever subject,
// is not lost with the connection of the publisher. And what the node that got it
// publishes from then on reaches the publisher by every subject to which that had
// subscribed before. All methods may be called concurrently.
type Engine interface {
	// Start connects. Until Close the engine calls ev.
	Start(ctx context.Context, ev Events) error
	// Subscribe returns when the engine has the subscription, and keeps it when it
	// reconnects. Subjects consist of letters, digits, '-', '_' and '.'.
	Subscribe(ctx context.Context, subject string) error
	// Unsubscribe may return before the last message was delivered.
	Unsubscribe(subject string) error
	// Publish sends data, which nobody may change afterwards. It does not wait: it
	// returns ErrDown while the engine is disconnected. If token is not 0 and
	// nobody subscribes to subject, Events.Nobody is called with it.
	Publish(subject string, token uint64, data []byte) error
	// MaxPayload is how much data Publish takes, in bytes.
	MaxPayload() int
	// Close ends the engine. No call of Events is made after it has returned.
	Close() error
}

// Events is what an engine tells its node. The methods return soon. Those with a
// subject are not called concurrently for the same one.
type Events interface {
	// Message delivers data, which nobody changes any more.
	Message(subject string, data []byte)
	// Stored is Message for what a [Log] keeps. prev is the Seq of the message before
	// it in the same subject, 0 if nothing of it is kept.
	Stored(subject string, at Position, prev uint64, data []byte)
	// Nobody says that nobody subscribed to the subject of that Publish.
	Nobody(token uint64)
	// Dropped says that messages of a subject were lost; "" stands for all.
	Dropped(subject string)
	// Down says that the engine is disconnected, and Up that it is back. Messages
	// in between are lost.
	Down(err error)
	Up()
}
