package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// recordings reads the expected analysis of every recording that the program carries.
func recordings(t *testing.T) map[string]*analyze.Result {
	t.Helper()
	files, err := filepath.Glob("../../pcaps/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	all := map[string]*analyze.Result{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := new(analyze.Result)
		if err := json.Unmarshal(text, r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range r.Connections {
			for _, s := range c.Segments {
				s.Flags, _ = event.ParseFlags(s.FlagText)
			}
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = r
	}
	return all
}

func TestPicturesOfRecordings(t *testing.T) {
	for name, r := range recordings(t) {
		checkPicture(t, name, r)
		for _, width := range []int{80, 100, 140} {
			checkWidth(t, name, render(t, Ladder, r, Options{Width: width, Box: true}), width)
		}
	}
}
