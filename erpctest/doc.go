// Package erpctest tests programs that use erpc, without a network: two peers
// that talk in memory ([Pair]), two ends of a stream without a session
// ([StreamPair]), a record of what a peer has received ([Recorder]), and a stand-in
// for a session that only calls and pushes ([Fake]). What goes wrong on a network
// goes wrong on demand ([Config.Faults]).
//
// A handler is tested in five lines:
//
//	func TestAdd(t *testing.T) {
//		_, cli := erpctest.Pair(t, func(p erpc.Peer) { erpc.HandleCall(p, "/add", add) }, nil)
//		if sum, err := erpc.CallValue[int](t.Context(), cli, "/add", []int{1, 2}); err != nil || sum != 3 {
//			t.Errorf("sum %d, %v", sum, err)
//		}
//	}
//
// All of it starts no goroutine that outlives the test, and works in a bubble of
// testing/synctest.
package erpctest
