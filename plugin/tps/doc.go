// Package tps is a plugin that logs how many calls and pushes of each method a
// peer handled per second. It corresponds to the example of that name in erpc
// v7; package stats counts more.
package tps
