// Package report holds the results of a benchmark run, compares them with the
// goals, and writes them as Markdown with SVG charts.
package report
