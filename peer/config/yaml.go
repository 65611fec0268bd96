package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Only this file uses the YAML library. The library parses into nodes, which
// leaves aliases unexpanded; this package does the rest.

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// parseYAML returns the part of the document below path.
func parseYAML(data []byte, path []string) (*node, error) {
	n, err := yamlDocument(data)
	if err != nil {
		return nil, err
	}
	for _, name := range path {
		if n == nil || isNull(n) {
			return nil, ErrNoSection
		}
		entries, err := yamlEntries(n, "")
		if err != nil {
			return nil, err
		}
		n = nil
		for _, e := range entries {
			if e.name == name {
				n = e.value
			}
		}
		if n == nil {
			return nil, ErrNoSection
		}
	}
	root := &node{kind: tableNode}
	if n == nil || isNull(n) {
		return root, nil
	}
	root.line = n.Line
	root.table, err = yamlTable(n, "", 0)
	return root, err
}

// yamlDocument returns the top node of the only document, or nil for an empty
// file.
func yamlDocument(data []byte) (top *yaml.Node, err error) {
	// The library panics internally and recovers. It is archived, so a bug in it
	// would not be fixed: recover here too, so that it can't crash the process.
	defer func() {
		if r := recover(); r != nil {
			top, err = nil, fmt.Errorf("the YAML cannot be parsed: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlError(err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, keyErrorf("", more.Line, "a second YAML document: keep one in the file")
	case !errors.Is(err, io.EOF):
		return nil, yamlError(err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// yamlError extracts the line from the library's message.
func yamlError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // m[1] is digits; on overflow Atoi returns the largest int
		text = text[len(m[0]):]
	}
	return keyErrorf("", line, "the YAML cannot be parsed: %s", text)
}

type yamlEntry struct {
	name  string
	value *yaml.Node
}

// yamlEntries returns the entries of a mapping. It refuses duplicate names.
func yamlEntries(n *yaml.Node, prefix string) ([]yamlEntry, error) {
	if err := plainYAML(n, strings.TrimSuffix(prefix, ".")); err != nil {
		return nil, err
	}
	if n.Kind != yaml.MappingNode {
		return nil, keyErrorf(strings.TrimSuffix(prefix, "."), n.Line, "a single value or a list where keys are expected: write lines of the form key: value")
	}
	entries := make([]yamlEntry, 0, len(n.Content)/2)
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if err := plainYAML(k, prefix+k.Value); err != nil {
			return nil, err
		}
		if k.Kind != yaml.ScalarNode {
			return nil, keyErrorf("", k.Line, "a list or a mapping as a key: write a name")
		}
		if seen[k.Value] {
			return nil, keyErrorf(prefix+k.Value, k.Line, "%w", ErrDuplicateKey)
		}
		seen[k.Value] = true
		entries = append(entries, yamlEntry{k.Value, v})
	}
	return entries, nil
}

func yamlTable(n *yaml.Node, prefix string, depth int) ([]*node, error) {
	if depth > maxDepth {
		return nil, keyErrorf("", n.Line, "nested more than %d deep: make it flatter", maxDepth)
	}
	entries, err := yamlEntries(n, prefix)
	if err != nil {
		return nil, err
	}
	table := make([]*node, len(entries))
	for i, e := range entries {
		table[i], err = yamlNode(e.value, prefix+e.name, depth)
		if err != nil {
			return nil, err
		}
		table[i].name = e.name
	}
	return table, nil
}

func yamlNode(n *yaml.Node, key string, depth int) (*node, error) {
	if err := plainYAML(n, key); err != nil {
		return nil, err
	}
	out := &node{line: n.Line}
	switch n.Kind {
	case yaml.ScalarNode:
		out.text = yamlText(n)
	case yaml.SequenceNode:
		return out, yamlList(out, n, key, depth)
	case yaml.MappingNode:
		out.kind = tableNode
		table, err := yamlTable(n, key+".", depth+1)
		if err != nil {
			return nil, err
		}
		out.table = table
	}
	return out, nil
}

// yamlList fills in out, a list of texts or of mappings.
func yamlList(out *node, n *yaml.Node, key string, depth int) error {
	out.kind = listNode
	if len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode {
		out.kind = tableListNode
	}
	for i, item := range n.Content {
		if err := plainYAML(item, key); err != nil {
			return err
		}
		switch {
		case out.kind == tableListNode && item.Kind == yaml.MappingNode:
			name := strconv.Itoa(i + 1)
			table, err := yamlTable(item, key+"."+name+".", depth+1)
			if err != nil {
				return err
			}
			out.table = append(out.table, &node{name: name, line: item.Line, kind: tableNode, table: table})
		case out.kind == tableListNode:
			return keyErrorf(key, item.Line, "a list that mixes mappings and other values: make all of its items mappings")
		case item.Kind != yaml.ScalarNode:
			return keyErrorf(key, item.Line, "a list of lists or mappings: only texts can be its items")
		default:
			out.items = append(out.items, yamlText(item))
		}
	}
	return nil
}

// yamlText returns a scalar as it is written. Fields have types, so the type
// that YAML would infer does not matter. Only null becomes empty text, like an
// empty INI value.
func yamlText(n *yaml.Node) string {
	if isNull(n) {
		return ""
	}
	return n.Value
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// plainYAML refuses features that other formats lack, and aliases, with which a
// short file can expand to a large one.
func plainYAML(n *yaml.Node, key string) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return keyErrorf(key, n.Line, "anchors and aliases are not accepted: write the value out")
	case n.Style&yaml.TaggedStyle != 0:
		return keyErrorf(key, n.Line, "the tag %s is not accepted: write the value alone", clip(n.Tag))
	}
	return nil
}
