// Package config reads one section of a YAML or INI file into a struct, and
// writes a struct as a commented file that a person can edit.
//
// It is strict, since a configuration that is silently ignored is worse than
// none: a key that the struct does not have, a key given twice, a value that
// does not fit its field and a section that is not there are all errors, and
// each says the file, the line, the section and the key. A key left out keeps
// the value that the field has, so defaults are what the struct holds before
// the file is read (see [Defaulter]).
//
// # Fields
//
// The names come from the tags `yaml:"name"` and `ini:"name"`, the comment of
// a written file from `comment:"text"`. A field that has only one of the two
// name tags uses it for both formats; a field with neither is called by its Go
// name in lower case; the name "-" leaves the field out. Names and sections
// are made of letters, digits, "_" and "-".
//
// A field is a string, a bool, an integer, a float, a [time.Duration] (always
// with its unit, as 3s or 1h30m), a slice of strings, a type that implements
// [encoding.TextUnmarshaler] (and [encoding.TextMarshaler], to be written), a
// struct of such fields, a pointer to such a struct, or a slice of them. A
// pointer stays nil if the file has no part for it. An embedded struct without a
// name of its own adds its fields to those around it.
//
// # Environment
//
// In a value, ${NAME} stands for the environment variable of that name, which
// must be set; ${NAME:-default} for the default if it is not set or empty. The
// text ${ itself is written $${.
//
// # Formats
//
// Both formats say the same things. A section is a top-level key in YAML and a
// [section] in INI; a dotted name ("servers.main") means a nested key in YAML.
// A nested struct is a nested mapping in YAML and the section
// [section.child] in INI. A list is a sequence in YAML and is separated by
// commas in INI; a list of structs is a sequence of mappings in YAML, and in INI
// the sections [section.child.1], [section.child.2] and so on, in the order in
// which they stand in the file. The empty section name is the file's top level.
//
// In INI, text that holds a comma within a list, a comment sign or a space at
// its ends is put in quotes: "double" ones take the escapes of a Go string,
// 'single' ones take none. A comment starts with # or ; at the beginning of a
// line or after a space. In YAML, anchors, aliases and explicit tags within the
// section are refused, and so is a second document in the file. A file is at
// most 1 MiB, in INI also at most 10,000 lines.
//
// All functions may be called concurrently, as long as no two of them are
// given the same struct.
package config
