package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Format is the syntax of a configuration.
type Format int

// The formats. The zero value is YAML.
const (
	YAML Format = iota
	INI
)

// String returns "yaml" or "ini", which is also the name of the struct tag.
func (f Format) String() string {
	switch f {
	case YAML:
		return "yaml"
	case INI:
		return "ini"
	}
	return fmt.Sprintf("format(%d)", int(f))
}

// FormatOf returns the format of a file by its extension: .yaml or .yml for
// YAML, .ini, .conf or .cfg for INI, in any case.
func FormatOf(path string) (Format, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return YAML, nil
	case ".ini", ".conf", ".cfg":
		return INI, nil
	}
	return 0, &Error{File: path, Err: ErrUnknownFormat}
}

// other returns the format whose name tag is used for fields that have none for
// f.
func (f Format) other() Format {
	if f == INI {
		return YAML
	}
	return INI
}

func (f Format) check() error {
	if f != YAML && f != INI {
		return fmt.Errorf("%v: %w", f, ErrUnknownFormat)
	}
	return nil
}

// splitSection splits a dotted section name; an empty name has no parts.
func splitSection(section string) ([]string, error) {
	if section == "" {
		return nil, nil
	}
	parts := strings.Split(section, ".")
	if len(parts) > maxDepth {
		return nil, fmt.Errorf("section name with %d parts: at most %d are allowed", len(parts), maxDepth)
	}
	for _, part := range parts {
		if err := checkName(part); err != nil {
			return nil, fmt.Errorf("section name: %w", err)
		}
	}
	return parts, nil
}

// checkName refuses names that one of the formats can't express. The INI
// library calls the top level DEFAULT.
func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("empty name: give it one")
	}
	if name == "DEFAULT" {
		return fmt.Errorf("the name DEFAULT is reserved in INI files: choose another")
	}
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
		if !letter && (r != '-' || i == 0) {
			return fmt.Errorf("name %s: use letters, digits, _ and - only", clip(name))
		}
	}
	return nil
}
