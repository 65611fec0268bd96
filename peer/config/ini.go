package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"gopkg.in/ini.v1"
)

// parseINI returns the keys of the section and of the sections below it.
func parseINI(data []byte, path []string) (*node, error) {
	lines, err := scanINI(string(data))
	if err != nil {
		return nil, err
	}
	// BlockMode stays on, as LoadSources sets it: without it the library's
	// reads may race with the sections that they create.
	file, err := ini.LoadSources(ini.LoadOptions{
		IgnoreContinuation:         true, // a value ends with its line, so that lines can be counted
		IgnoreInlineComment:        true, // unquoteINI strips comments and quotes
		PreserveSurroundedQuote:    true,
		AllowShadows:               true, // to detect duplicate keys and sections
		AllowDuplicateShadowValues: true,
		AllowNonUniqueSections:     true,
	}, data)
	if err != nil {
		return nil, fmt.Errorf("the INI cannot be parsed: %w", err)
	}
	sections := file.Sections()
	if len(sections) != len(lines) {
		// scanINI and the library disagree about the sections, so trust neither.
		return nil, errors.New("the INI cannot be parsed: write one [section] or key = value a line")
	}

	root := &node{kind: tableNode}
	prefix := strings.Join(path, ".")
	found := prefix == ""
	seen := make(map[string]bool)
	for i, s := range sections {
		name := strings.TrimSpace(s.Name())
		if name == ini.DefaultSection {
			// The library opens the top level itself, and [DEFAULT] reopens it.
			if i > 0 {
				return nil, keyErrorf("", lines[i].line, "the section DEFAULT is the top level: write its keys before the first section")
			}
			name = ""
		} else if name == "" {
			return nil, keyErrorf("", lines[i].line, "section without a name: give it one")
		}
		below, ok := belowSection(name, prefix)
		if !ok {
			continue
		}
		if seen[name] {
			return nil, keyErrorf("", lines[i].line, "section %s: %w", clip(name), ErrDuplicateKey)
		}
		seen[name] = true
		found = true
		if err := addSection(root, below, s, lines[i]); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, ErrNoSection
	}
	return root, nil
}

// belowSection reports whether name is the section prefix or a section below
// it, and returns the rest of name.
func belowSection(name, prefix string) (string, bool) {
	if prefix == "" || name == prefix {
		return strings.TrimPrefix(name, prefix), true
	}
	return strings.CutPrefix(name, prefix+".")
}

// addSection adds the keys of s to the table at the dotted path below root.
func addSection(root *node, below string, s *ini.Section, at sectionLines) error {
	table, prefix := root, ""
	if below != "" {
		parts := strings.Split(below, ".")
		if len(parts) > maxDepth {
			return keyErrorf("", at.line, "nested more than %d deep: make it flatter", maxDepth)
		}
		for _, part := range parts {
			next := table.child(part)
			if next == nil {
				next = &node{name: part, line: at.line, kind: tableNode}
				table.table = append(table.table, next)
			}
			prefix += part + "."
			if next.kind != tableNode {
				return keyErrorf(strings.TrimSuffix(prefix, "."), at.line, "both a section and a key have this name: %w", ErrDuplicateKey)
			}
			table = next
		}
	}
	if table.line == 0 {
		table.line = at.line
	}
	// The library keeps the keys of a section in the order of the file, so up to
	// the first duplicate they correspond one to one to the scanned lines.
	taken := make(map[string]bool, len(table.table))
	for _, c := range table.table {
		taken[c.name] = true
	}
	keys := s.Keys()
	if len(keys) > len(at.keys) {
		return keyErrorf("", at.line, "the section cannot be parsed: write one key = value a line")
	}
	for i, k := range keys {
		if len(k.ValueWithShadows()) > 1 || taken[k.Name()] {
			return keyErrorf(prefix+k.Name(), at.keys[i], "%w", ErrDuplicateKey)
		}
		taken[k.Name()] = true
		table.table = append(table.table, &node{name: k.Name(), line: at.keys[i], kind: rawNode, text: k.Value()})
	}
	return nil
}

// sectionLines holds the line numbers of a section and its keys, which the
// library does not report.
type sectionLines struct {
	line int
	keys []int
}

// scanINI finds the lines of sections and keys. It refuses values that the
// library would read over several lines, files that would take the library too
// long, and mistakes that the library would report without a line. The first
// entry of the result is the top level.
func scanINI(data string) ([]sectionLines, error) {
	out := []sectionLines{{line: 1}}
	number := 0
	for line := range strings.Lines(data) {
		number++
		if number > maxLines {
			return nil, fmt.Errorf("%w: keep it under %d lines", ErrTooLarge, maxLines)
		}
		line = strings.TrimSpace(line)
		for _, r := range line {
			if unicode.IsControl(r) && r != '\t' {
				return nil, keyErrorf("", number, "control character %U: remove it, or write it as an escape in double quotes", r)
			}
		}
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			if err := checkHeader(line); err != nil {
				return nil, keyErrorf("", number, "%w", err)
			}
			out = append(out, sectionLines{line: number})
			continue
		}
		if err := checkKeyLine(line); err != nil {
			return nil, keyErrorf("", number, "%w", err)
		}
		last := &out[len(out)-1]
		last.keys = append(last.keys, number)
	}
	return out, nil
}

// checkHeader makes sure that the first closing bracket ends the section's
// name, because the library uses the last one of the line.
func checkHeader(line string) error {
	_, rest, ok := strings.Cut(line, "]")
	if !ok {
		return errors.New("section without ]: close the bracket")
	}
	rest = strings.TrimSpace(rest)
	if strings.Contains(rest, "]") || rest != "" && rest[0] != '#' && rest[0] != ';' {
		return errors.New("text after [section]: put it on a line of its own")
	}
	return nil
}

func checkKeyLine(line string) error {
	name, value, ok := cutKey(line)
	switch {
	case !ok:
		return fmt.Errorf("neither key, section nor comment: %s: write key = value", clip(line))
	case name == "":
		return errors.New("no key before the = sign: write key = value")
	case strings.ContainsAny(name[:1], "\"`-"):
		return fmt.Errorf("key %s: write the name without quotes, starting with a letter", clip(name))
	case strings.HasPrefix(value, "`") || strings.HasPrefix(value, `"""`):
		return errors.New("text over several lines is not accepted: write it in double quotes with \\n")
	}
	return nil
}

func cutKey(line string) (name, value string, ok bool) {
	i := strings.IndexAny(line, "=:")
	if i < 0 {
		return "", "", false
	}
	return strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:]), true
}
