// Package report holds what a run of the benchmark measured, judges it against
// the bars, and writes it as Markdown with SVG charts.
package report
