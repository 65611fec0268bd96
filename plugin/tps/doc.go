// Package tps is a plugin that logs how many calls and pushes of each method a
// peer handled per second. It is what the example of that name in erpc v7 is;
// package stats counts more.
package tps
