// Package config reads one section of a YAML or INI file into a struct, and
// writes a struct as a commented file that a person can edit.
//
// It is strict, because a setting that is silently ignored is worse than an
// error: an unknown key, a duplicate key, a value that does not fit its field
// and a missing section are all errors, and each names the file, the line, the
// section and the key. A key that is left out keeps the value of its field, so
// the struct holds the defaults before the file is read (see [Defaulter]).
//
// # Fields
//
// The names come from the tags `yaml:"name"` and `ini:"name"`, the comment of a
// written file from `comment:"text"`. A field with only one of the two name
// tags uses it for both formats. A field without them has its Go name in lower
// case. The name "-" leaves the field out. Names and sections consist of
// letters, digits, "_" and "-".
//
// A field is a string, a bool, an integer, a float, a [time.Duration] (always
// with its unit, as 3s or 1h30m), a slice of strings, a type that implements
// [encoding.TextUnmarshaler] (and [encoding.TextMarshaler], to be written), a
// struct of such fields, a pointer to such a struct, or a slice of them. A
// pointer stays nil if the file leaves it out. The fields of an embedded struct
// without a name tag belong to the struct around it.
//
// # Environment
//
// In a value, ${NAME} is replaced by the environment variable of that name,
// which must be set. ${NAME:-default} is replaced by the default if the
// variable is unset or empty. Write $${ for a literal ${.
//
// # Formats
//
// Both formats can express the same. A section is a top-level key in YAML and a
// [section] in INI; a dotted name ("servers.main") means a nested key in YAML.
// A nested struct is a nested mapping in YAML and the section [section.child]
// in INI. A list is a sequence in YAML and is separated by commas in INI; a
// list of structs is a sequence of mappings in YAML, and in INI the sections
// [section.child.1], [section.child.2] and so on, in the order of the file. The
// empty section name is the file's top level.
//
// In INI, quote text that has a space at either end or contains a comment sign
// or, in a list, a comma: "double" ones take the escapes of a Go string,
// 'single' ones take none. A comment starts with # or ; at the beginning of a
// line or after a space. In YAML, anchors, aliases and explicit tags within the
// section are refused, and so is a second document in the file. A file is at
// most 1 MiB, in INI also at most 10,000 lines.
//
// All functions may be called concurrently, but not with the same struct.
package config
