package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// File is a resolver that reads a JSON array of instances from a file. Replace
// the file with a rename; a half-written file is an error, and the client keeps
// its set.
type File struct {
	Path  string
	Every time.Duration // time between two reads; 0 means 5 s
}

// Resolve implements [Resolver].
func (f File) Resolve(context.Context) (Set, error) {
	b, err := os.ReadFile(f.Path)
	if err != nil {
		return Set{}, fmt.Errorf("lookup: %w", err)
	}
	s := Set{Again: f.Every}
	if s.Again <= 0 {
		s.Again = 5 * time.Second
	}
	if err := json.Unmarshal(b, &s.Instances); err != nil {
		return Set{}, fmt.Errorf("lookup: file %s: %w", f.Path, err)
	}
	for i, x := range s.Instances {
		if x.Address == "" {
			return Set{}, fmt.Errorf("lookup: file %s: instance %d has no address", f.Path, i)
		}
	}
	return s, nil
}
