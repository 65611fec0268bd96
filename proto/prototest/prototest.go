// Package prototest checks that a wire format keeps the contract of proto.Proto.
// The author of a format calls [Run] from a test.
package prototest

import (
	"fmt"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Options say what a format can carry. The zero value means everything that a
// message can have, except transfer filters, which have to be registered. A list
// that is set replaces the default one.
type Options struct {
	Types    []byte            // message types; default: all from CALL to AUTH_REPLY
	Seqs     []int32           // sequence numbers; default: small, large and negative ones
	Methods  []string          // service methods; default: none, ASCII, UTF-8, 255 bytes
	Statuses []*message.Status // nil is success; default: also any bytes in texts
	Codecs   []byte            // IDs of body codecs; default: none, the known, an unknown one

	// Meta are lists of alternating keys and values. Default: none, order,
	// duplicates, empty values, any bytes.
	Meta [][]string

	// Bodies; default: empty, text, all byte values, 1 MiB.
	Bodies [][]byte

	// Filters are IDs of registered filters that the format carries. At least
	// one of them should deflate. Default: none are checked.
	Filters []byte

	// Slack is how many bytes a frame may have above the limit before the format
	// must refuse it, and how many bytes Message.Size may differ from the length
	// of the frame.
	Slack int

	// Normalize changes a message to what arrives of it, if the format can't carry
	// everything: an HTTP reply has no service method, for example. It is applied
	// to the message sent and to the message read before they are compared, and
	// must not change more than necessary.
	Normalize func(*message.Message)

	// Hostile are inputs, special to the format, that announce much and contain
	// little. The usual ones are made from valid frames by changing four bytes in
	// a row.
	Hostile [][]byte
}

// Run checks the format that newProto makes, in subtests. It fails t if the format
//
//   - has an identifier or a name that changes,
//   - loses or changes a field of the header or a byte of the body, of one
//     message or of one among a thousand in a stream, however it arrives,
//   - accepts a message above the limit, or refuses one exactly at it,
//   - accepts a truncated message, or reports it as a clean end,
//   - panics or hangs on any input, or allocates what was only announced,
//   - leaves data in a message that does not belong to it,
//   - overwrites what is in the buffer, packs differently when used concurrently, or
//     fails after a message that can't be encoded.
//
// Each frame is packed by one value of newProto and read by another.
func Run(t *testing.T, newProto func() proto.Proto, o Options) {
	t.Helper()
	s := newSuite(newProto, o)
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := guard(func() error { return c.check(s) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// checks return an error rather than take a testing.T, so that they can be tested
// with broken formats.
var checks = []struct {
	name  string
	check func(*suite) error
}{
	{"identity", checkIdentity},
	{"header", checkHeader},
	{"body", checkBody},
	{"filters", checkFilters},
	{"size", checkSize},
	{"limit", checkLimit},
	{"inflated limit", checkInflatedLimit},
	{"stream", checkStream},
	{"slow reader", checkSlowReader},
	{"reader's error", checkReadError},
	{"truncated", checkTruncated},
	{"garbage", checkGarbage},
	{"announced", checkAnnounced},
	{"ownership", checkOwnership},
	{"reuse", checkReuse},
	{"append", checkAppend},
	{"failed pack", checkFailedPack},
	{"concurrent", checkConcurrent},
}

// limit is the read limit, in bytes, of checks that are not about the limit.
const limit = 8 << 20

type suite struct {
	Options
	newProto func() proto.Proto
}

func newSuite(newProto func() proto.Proto, o Options) *suite {
	s := &suite{Options: o, newProto: newProto}
	def(&s.Types, []byte{message.TypeCall, message.TypeReply, message.TypePush, message.TypeAuthCall, message.TypeAuthReply})
	def(&s.Seqs, []int32{1, 0, -1, 35, 36, 1 << 20, 1<<31 - 1, -1 << 31})
	def(&s.Methods, []string{"/math/add", "", "a", "Ünïcode/中文/😀", `quo"te\back`, "q?a=b&c=d", pattern(255)})
	def(&s.Codecs, []byte{'j', 0, 'p', 's', 'x', 200})
	all := everyByte()
	def(&s.Statuses, []*message.Status{
		nil,
		message.NewStatus(1001, "bad thing", "cause & x=1 100%"),
		message.NewStatus(-1<<31, "", ""),
		message.NewStatus(404, "Not Found"),
		message.NewStatus(1<<31-1, string(all), "é\x00"+string(all)),
	})
	def(&s.Meta, [][]string{
		nil,
		{"author", "andeya"},
		{"k", "1", "other", "x", "k", "2", "K", "3", "k", "1"},
		{"empty", "", "", "no key", "a b&c=d%+", "é中"},
		{string(all), string(all)},
	})
	def(&s.Bodies, [][]byte{{}, []byte("text"), []byte(`"a\"b\\c\n\t"`), []byte("line1\nline2\\"), all, large()})
	return s
}

func def[T any](list *[]T, to []T) {
	if *list == nil {
		*list = to
	}
}

// guard turns a panic of f into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

func checkIdentity(s *suite) error {
	p := s.newProto()
	id, name := p.Version()
	if name == "" {
		return fmt.Errorf("the name is empty")
	}
	for _, p := range []proto.Proto{p, s.newProto()} {
		if id2, name2 := p.Version(); id2 != id || name2 != name {
			return fmt.Errorf("version %d %q became %d %q", id, name, id2, name2)
		}
	}
	return nil
}
