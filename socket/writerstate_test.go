package socket

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestWriterMoves checks the table of moves against the intended ones.
func TestWriterMoves(t *testing.T) {
	want := map[[2]writerState]bool{
		{idle, scheduled}: true, {idle, writing}: true, {idle, writingBody}: true,
		{scheduled, writing}: true, {scheduled, writingBody}: true,
		{starting, writing}: true,
		{writing, idle}:     true, {writing, scheduled}: true, {writing, starting}: true, {writing, writingBody}: true,
		{writingBody, writing}: true, {writingBody, starting}: true,
	}
	for from := idle; from <= writingBody; from++ {
		for to := idle; to <= writingBody; to++ {
			s := from
			p := panicOf(func() { s.move(to) })
			if ok := p == ""; ok != want[[2]writerState{from, to}] || ok != (s == to && from != to) {
				t.Errorf("%v to %v: panic %q, then %v", from, to, p, s)
			}
			if p != "" && !strings.Contains(p, from.String()+" to "+to.String()) {
				t.Errorf("the panic does not name the move from %v to %v: %s", from, to, p)
			}
		}
	}
}

// TestLifeMoves does the same for the life of a socket.
func TestLifeMoves(t *testing.T) {
	want := map[[2]lifeState]bool{{open, lingering}: true, {open, closed}: true, {lingering, closed}: true}
	for from := open; from <= closed; from++ {
		for to := open; to <= closed; to++ {
			s := from
			p := panicOf(func() { s.move(to) })
			if ok := p == ""; ok != want[[2]lifeState{from, to}] {
				t.Errorf("%v to %v: panic %q", from, to, p)
			}
		}
	}
}

func panicOf(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

// TestWriterDiagramIsTheTable reads the diagram in docs/reliability.md: a line
// for each move, and no other.
func TestWriterDiagramIsTheTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, diagram, ok := bytes.Cut(doc, []byte("## The writer of a connection"))
	if !ok {
		t.Fatal("docs/reliability.md has no section on the writer")
	}
	_, diagram, _ = bytes.Cut(diagram, []byte("stateDiagram-v2"))
	diagram, _, _ = bytes.Cut(diagram, []byte("```"))
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+) --> (\w+)`).FindAllSubmatch(diagram, -1) {
		drawn[string(m[1])+" to "+string(m[2])] = true
	}
	for from, to := range writerMoves {
		for _, to := range to {
			edge := fmt.Sprint(writerState(from), " to ", to)
			if !drawn[edge] {
				t.Errorf("the diagram lacks %s", edge)
			}
			delete(drawn, edge)
		}
	}
	if len(drawn) > 0 {
		t.Errorf("the diagram has moves that the code does not: %v", drawn)
	}
}
