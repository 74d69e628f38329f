package closecap

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/closecap/closecap"

// TestArrows proves which way imports go: evidence knows nothing of what it means, its meaning nothing
// of where it comes from, and the front door nothing of the command line. analyze's own order is its
// TestRooms'.
func TestArrows(t *testing.T) {
	imports := map[string][]string{} // of the module, by package
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.' {
			return err
		}
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			return nil // no Go here
		}
		imports[filepath.ToSlash(dir)] = []string{}
		for _, path := range pkg.Imports {
			if path == module {
				path = module + "/."
			}
			if own, ok := strings.CutPrefix(path, module+"/"); ok {
				imports[filepath.ToSlash(dir)] = append(imports[filepath.ToSlash(dir)], own)
			}
		}
		return nil
	})
	if err != nil || len(imports) < 20 {
		t.Fatalf("%d packages, error %v", len(imports), err)
	}
	vocabulary := []string{"analyze", "analyze/event", "analyze/expect", "analyze/seqnum", "analyze/suggest", "analyze/terminal"}
	understands := []string{"capture/intake", "capture/lab", "capture/scope", "capture/session"} // what a packet says
	for dir, paths := range imports {
		for _, path := range paths {
			in := func(tree string) bool { return strings.HasPrefix(dir+"/", tree+"/") }
			switch {
			case path == "." && !in("cmd") && !in(".ci"),
				strings.HasPrefix(path, "cmd"),
				strings.HasPrefix(path, "internal"), // is for tests
				strings.HasPrefix(path, "capture") && in("analyze"),
				strings.HasPrefix(path, "analyze") && in("capture") && !slices.Contains(vocabulary, path),
				path == "capture/decode" && in("capture") && !slices.Contains(understands, dir):
				t.Errorf("%s imports %s", dir, path)
			}
		}
	}
}
