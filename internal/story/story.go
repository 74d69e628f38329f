// Package story serves tests: it reads segments as people write them, and tells the stories that
// stand in testdata.
package story

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/closecap/closecap/analyze/event"
)

var update = flag.Bool("update", false, "rewrite what the stories want with what comes out")

// Updating reports whether tests shall write down what comes out, instead of comparing it.
func Updating() bool { return *update }

// Parse reads segments in the text notation; client and server stand for two addresses.
func Parse(t testing.TB, text string) []event.Segment {
	t.Helper()
	var out []event.Segment
	words := strings.NewReplacer("client", "10.0.0.1:40000", "server", "10.0.0.2:80")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		s, err := event.ParseSegment(words.Replace(strings.TrimSpace(line)))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, s)
	}
	return out
}

// Tell tells each story in the folder of testdata: a txtar file whose name is the story,
// its comment why it matters, its first part what happened and "want" what comes of that.
func Tell(t *testing.T, folder, first string, tell func(t *testing.T, comment, text string) string) {
	files, err := filepath.Glob("testdata/" + folder + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(ar.Files) == 0 || ar.Files[0].Name != first {
				t.Fatalf("%s: the first part is not called %s", file, first)
			}
			got := tell(t, string(ar.Comment), string(ar.Files[0].Data))
			if *update {
				ar.Files = append(ar.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(ar.Files) != 2 {
				t.Fatalf("%s: no part called want", file)
			}
			if diff := cmp.Diff(string(ar.Files[1].Data), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// Files lists the stories that flows and join are held to. analyze is the path to their parent.
func Files(t testing.TB, analyze string) (all []string) {
	t.Helper()
	for _, folder := range []string{"flows/testdata/stories", "join/testdata/joins"} {
		files, err := filepath.Glob(filepath.Join(analyze, folder, "*.txt"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no stories in %s: %v", folder, err)
		}
		all = append(all, files...)
	}
	return all
}
