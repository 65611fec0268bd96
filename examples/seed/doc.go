// Package seed holds the two programs of erpc v7's README, a server and a
// client, unchanged except for the import path and one comment. They show what
// a ported program looks like. Start ./server, then ./client. The test of this
// package runs both, on a free port and in less time.
package seed
