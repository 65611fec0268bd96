// Command v7names compares the exported names of erpc v7 with ours and writes
// docs/v7-names.md, which says of each what became of it. It is run in the folder
// interop, whose module needs v7: go run ./v7names. Its test fails when the page
// is stale.
package main

import (
	"fmt"
	"os"
)

const pageFile = "../docs/v7-names.md"

func main() {
	text, err := render("..")
	if err == nil {
		err = os.WriteFile(pageFile, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// render returns the page for the tree at root.
func render(root string) (string, error) {
	rules, err := parseRules(insteadText)
	if err != nil {
		return "", err
	}
	v7, err := load(root+"/interop", v7Module)
	if err != nil {
		return "", err
	}
	our, err := load(root, ourModule)
	if err != nil {
		return "", err
	}
	return makePage(v7, our, rules)
}
