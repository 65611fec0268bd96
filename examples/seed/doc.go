// Package seed holds the two programs of erpc v7's README, a server and a
// client, as they stand there but for the import path and one comment: what a
// program that moves over looks like. Start ./server, then ./client. The test
// of this package runs both, on a free port and in less time.
package seed
