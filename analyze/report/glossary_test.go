package report

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/closecap/closecap/analyze/explain"
)

// plainHeadings say themselves what stands under them.
var plainHeadings = []string{
	"client", "server", "client\nserver", "state", "socket", "local → remote", "scenario", "question", "wire", "closer", "cause", "met",
	"what", "which", "count", "connections", "first closer", "ending", "outcome", "reset cause", "expectations",
	"what it waits for, and what ends that",
}

// TestHeadingsAreInGlossary finds the title of every column of a table in the glossary.
func TestHeadingsAreInGlossary(t *testing.T) {
	known := slices.Clone(plainHeadings)
	for _, term := range explain.Glossary() {
		known = append(known, term.Word)
	}
	titles := slices.Concat(slices.Collect(maps.Keys(socketColumns)), slices.Collect(maps.Keys(catalogueColumns)))
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source found: %v", err)
	}
	title := regexp.MustCompile(`\btitle: ("[^"]+")`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range title.FindAllStringSubmatch(string(source), -1) {
			title, err := strconv.Unquote(m[1])
			if err != nil {
				t.Fatal(err)
			}
			titles = append(titles, title)
		}
	}
	if len(titles) < 40 {
		t.Errorf("%d titles found, want all tables' ones", len(titles))
	}
	for _, word := range titles {
		if !slices.Contains(known, word) {
			t.Errorf("the column %q is not in the glossary", word)
		}
	}
}
