// Package xfer holds transfer filters: reversible transformations of a
// message's bytes on their way to the wire, such as compression or a check sum. A
// filter is identified by one byte on the wire and by a name in the program; Reg
// registers it for the process. An XferPipe is the list of filters of one message,
// outermost first. The receiver undoes them in the same order, and never makes
// more bytes than its limit allows, whatever the sender announced.
//
// Ready-made filters live in the packages below this one: gzip, md5, zstd and
// s2. A filter of your own is four methods; package xfertest checks that it
// keeps the contract.
package xfer
