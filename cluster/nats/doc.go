// Package nats carries the messages of a cluster over NATS: at most once, with
// core NATS only. Package embed, beside it, runs the server in the process.
//
// A message is as large as the server takes, 1 MiB unless its configuration says
// otherwise.
package nats
