package analyze

import (
	"go/build"
	"slices"
	"strings"
	"testing"
)

// TestPure proves that the analysis reads no file, no network and no clock: its packages
// import only each other and a few of the standard library's.
func TestPure(t *testing.T) {
	allowed := []string{
		"bytes", "cmp", "encoding/binary", "encoding/json", "errors", "fmt", "iter", "maps", "math",
		"math/bits", "math/rand/v2", "net/netip", "slices", "sort", "strconv", "strings", "time", "unicode",
		"unicode/utf8",
	}
	for _, dir := range []string{".", "endings", "event", "prefetch", "seqnum"} {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pkg.Imports {
			if !slices.Contains(allowed, path) && !strings.HasPrefix(path, "github.com/closecap/closecap/analyze/") {
				t.Errorf("%s imports %q", pkg.Name, path)
			}
		}
	}
}
