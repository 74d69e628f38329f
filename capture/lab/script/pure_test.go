package script

import (
	"go/build"
	"slices"
	"testing"
)

// TestPure keeps the language apart from whatever runs it: of this project it imports only
// what is pure, too, and nothing that asks a system.
func TestPure(t *testing.T) {
	allowed := []string{
		"embed", "errors", "fmt", "maps", "path", "slices", "strconv", "strings", "sync", "time",
		"github.com/closecap/closecap/analyze", "github.com/closecap/closecap/analyze/event", "github.com/closecap/closecap/analyze/expect", "github.com/closecap/closecap/analyze/suggest",
	}
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pkg.Imports {
		if !slices.Contains(allowed, path) {
			t.Errorf("%s imports %q", pkg.Name, path)
		}
	}
	if len(pkg.IgnoredGoFiles) > 0 {
		t.Errorf("%v are for some systems only", pkg.IgnoredGoFiles)
	}
}
