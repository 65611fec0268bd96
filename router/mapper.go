package router

import (
	"path"
	"strings"
)

// A ServiceMethodMapper makes a service method from the prefix in front of it and
// the name of a struct, method or function.
type ServiceMethodMapper = func(prefix, name string) (serviceMethod string)

// HTTPServiceMethodMapper maps to paths: AaBb to /aa_bb, Aa_Bb to /aa/bb,
// Aa__Bb to /aa_bb. It is the default.
func HTTPServiceMethodMapper(prefix, name string) string {
	return path.Join("/", prefix, snake(words(name, '/')))
}

// RPCServiceMethodMapper maps to dotted names: AaBb to AaBb, Aa_Bb to Aa.Bb,
// Aa__Bb to Aa_Bb.
func RPCServiceMethodMapper(prefix, name string) string {
	return strings.Trim(prefix+"."+strings.TrimLeft(string(words(name, '.')), "."), ".")
}

// words writes one underscore of a name as sep, and two or more as one
// underscore.
func words(name string, sep byte) []byte {
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); {
		if name[i] != '_' {
			out = append(out, name[i])
			i++
			continue
		}
		n := i
		for i < len(name) && name[i] == '_' {
			i++
		}
		if i-n == 1 && i < len(name) {
			out = append(out, sep)
		} else {
			out = append(out, '_')
		}
	}
	return out
}

// snake lowers the capitals and puts an underscore before each one that does not
// follow a capital or an underscore, except at the start of a path element.
func snake(name []byte) string {
	out := make([]byte, 0, len(name)+8)
	for i, c := range name {
		if c < 'A' || c > 'Z' {
			out = append(out, c)
			continue
		}
		if i > 0 {
			if before := name[i-1]; before != '_' && before != '/' && (before < 'A' || before > 'Z') {
				out = append(out, '_')
			}
		}
		out = append(out, c-'A'+'a')
	}
	return string(out)
}
