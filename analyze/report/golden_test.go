package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"closecap/analyze"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// checkGolden compares got with testdata/name.
func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func render(t *testing.T, format Format, r *analyze.Result, opt Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, r, opt); err != nil {
		t.Fatalf("Write(%s) = %v", format, err)
	}
	return b.String()
}

func TestTables(t *testing.T) {
	for name, r := range map[string]*analyze.Result{
		"shutdown-wr": halfClosed(),
		"close":       sentAfterClose(),
	} {
		for _, width := range []int{60, 80, 120, 160} {
			for _, box := range []bool{false, true} {
				lines := map[bool]string{false: "ascii", true: "box"}[box]
				got := render(t, Table, r, Options{Width: width, Box: box})
				for _, l := range strings.Split(got, "\n") {
					if w := textWidth(l); w > width {
						t.Errorf("%s at %d columns: line of %d: %s", name, width, w, l)
					}
				}
				checkGolden(t, fmt.Sprintf("%s-%d-%s.txt", name, width, lines), got)
			}
		}
	}
}
