// Package rig turns a framework into a pair of programs that the runner
// (cmd/erpcbench) can measure: a server process and a client process that take
// commands on their standard input, one a line, and answer each with one line
// of JSON. A peer is a main package that hands its variants to [Main].
package rig
