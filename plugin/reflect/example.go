package reflect

import (
	"maps"
	"slices"
	"strings"
)

// Bounds of an example, because types may refer to themselves in many fields,
// and the schema may come from the other side.
const (
	maxExampleDepth = 6
	maxExampleParts = 1000
	maxExampleList  = 8
)

// Example returns a sample value that matches the schema, for encoding/json to
// write. For a large type it is only a part.
func (s *Schema) Example() any {
	e := exampler{root: s, left: maxExampleParts}
	return e.of(s, 0)
}

// An exampler makes one example.
type exampler struct {
	root *Schema // holds the definitions
	left int     // parts that may still be made
}

func (e *exampler) of(s *Schema, depth int) any {
	e.left--
	switch {
	case s == nil || depth > maxExampleDepth || e.left < 0:
		return nil
	case s.Ref != "":
		return e.of(e.root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")], depth+1)
	case len(s.AnyOf) > 0:
		return e.of(s.AnyOf[0], depth+1)
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.Examples) > 0:
		return s.Examples[0]
	}
	switch s.Type {
	case "string":
		if s.Format == "date-time" {
			return "2006-01-02T15:04:05Z"
		}
		return ""
	case "integer", "number":
		return 0
	case "boolean":
		return false
	case "array":
		list := []any{}
		n := 1
		if s.MinItems != nil {
			n = min(*s.MinItems, maxExampleList)
		}
		for range n {
			if v := e.of(s.Items, depth+1); v != nil {
				list = append(list, v)
			}
		}
		return list
	case "object":
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			object[name] = e.of(s.Properties[name], depth+1)
		}
		return object
	}
	return nil
}
