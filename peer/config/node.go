package config

import "slices"

// node is a value of a file, the same for all formats. Which of its parts is
// set follows from kind.
type node struct {
	name  string
	line  int // counts from 1
	kind  nodeKind
	text  string
	items []string
	table []*node // in the order of the file, no name twice
}

type nodeKind int

const (
	textNode  nodeKind = iota // text
	rawNode                   // text that is still quoted as in INI; what is in it depends on the field
	listNode                  // items
	tableNode                 // table
)

// child returns the table's entry of that name, or nil.
func (n *node) child(name string) *node {
	i := slices.IndexFunc(n.table, func(c *node) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return n.table[i]
}

// scalar returns the value of a field that is one text.
func (n *node) scalar(key string) (string, error) {
	switch n.kind {
	case textNode:
		return n.text, nil
	case rawNode:
		text, err := unquoteINI(n.text)
		if err != nil {
			return "", keyErrorf(key, n.line, "%w", err)
		}
		return text, nil
	case listNode:
		return "", keyErrorf(key, n.line, "a list where one value belongs: give a single value")
	default:
		return "", keyErrorf(key, n.line, "keys below it where one value belongs: give a single value")
	}
}

// list returns the value of a field that is a slice.
func (n *node) list(key string) ([]string, error) {
	switch n.kind {
	case listNode:
		return n.items, nil
	case rawNode:
		items, err := splitINI(n.text)
		if err != nil {
			return nil, keyErrorf(key, n.line, "%w", err)
		}
		return items, nil
	case textNode:
		if n.text == "" {
			return nil, nil
		}
	}
	return nil, keyErrorf(key, n.line, "not a list: write it as one, even for a single item")
}
