package config

import (
	"fmt"
	"slices"
)

// node is a value of a file, the same for all formats. kind determines which of
// its fields are set.
type node struct {
	name  string
	line  int // counts from 1
	kind  nodeKind
	text  string
	items []string
	table []*node // in the order of the file, with unique names; the items of a tableListNode
}

type nodeKind int

const (
	textNode      nodeKind = iota // text
	rawNode                       // text as it stands in INI, still quoted; its meaning depends on the field
	listNode                      // items
	tableNode                     // table
	tableListNode                 // table, whose entries are tables
)

// child returns the table's entry of that name, or nil.
func (n *node) child(name string) *node {
	i := slices.IndexFunc(n.table, func(c *node) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return n.table[i]
}

// scalar returns the value of a field with a single value.
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
	case listNode, tableListNode:
		return "", keyErrorf(key, n.line, "a list where one value is expected: give a single value")
	default:
		return "", keyErrorf(key, n.line, "nested keys where one value is expected: give a single value")
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
	case tableListNode:
		return nil, keyErrorf(key, n.table[0].line, "a list of lists or mappings: only texts can be its items")
	}
	return nil, keyErrorf(key, n.line, "not a list: write it as one, even for a single item")
}

// tables returns the value of a field that is a slice of structs. In INI the
// items are the sections below it, in their order, whatever their names.
func (n *node) tables(format Format, key string) ([]*node, error) {
	switch {
	case n.kind == textNode && n.text == "", n.kind == listNode && len(n.items) == 0:
		return nil, nil
	case n.kind == tableListNode && format == YAML:
		return n.table, nil
	case n.kind == tableNode && format == INI:
		for _, item := range n.table {
			if item.kind != tableNode {
				return nil, keyErrorf(key+"."+item.name, item.line, "a value where sections are expected: %s", tableListForm(format, key))
			}
		}
		return n.table, nil
	}
	return nil, keyErrorf(key, n.line, "not a list of mappings: %s", tableListForm(format, key))
}

func tableListForm(format Format, key string) string {
	if format == INI {
		return fmt.Sprintf("write a section for each item, whose names end in %q, %q and so on", "."+key+".1", "."+key+".2")
	}
	return "write it as a list, even for a single item"
}
