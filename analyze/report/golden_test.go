package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
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

// checkTable compares the table with its golden, whose name says its options, and holds every
// line to the width.
func checkTable(t *testing.T, name string, r *analyze.Result, opt Options) {
	t.Helper()
	got := render(t, Table, r, opt)
	for _, l := range strings.Split(got, "\n") {
		if w := textWidth(l); w > opt.Width {
			t.Errorf("%s at %d columns: line of %d: %s", name, opt.Width, w, l)
		}
	}
	lines := "ascii"
	if opt.Box {
		lines = "box"
	}
	checkGolden(t, fmt.Sprintf("%s-%d-%s.txt", name, opt.Width, lines), got)
}

// withoutCalls is what a capture of r alone would say.
func withoutCalls(r *analyze.Result) *analyze.Result {
	r.Calls, r.Scenario, r.Kernel, r.Remember, r.Expectations = nil, "", nil, nil, nil
	return r
}

func TestTables(t *testing.T) {
	for name, r := range map[string]*analyze.Result{
		"shutdown-wr":      halfClosed(),
		"close":            sentAfterClose(),
		"close-wire":       withoutCalls(sentAfterClose()),
		"lost-fin":         lostFin(),
		"transfer":         transfer(),
		"hostile":          hostile(),
		"several":          several(),
		"several-nokernel": withoutKernel(several()),
	} {
		for _, width := range []int{60, 80, 120, 160} {
			checkTable(t, name, r, Options{Width: width, Box: true})
		}
		checkTable(t, name, r, Options{Width: 80})
	}
}

func TestMarkdown(t *testing.T) {
	for name, r := range map[string]*analyze.Result{
		"shutdown-wr": halfClosed(),
		"close-wire":  withoutCalls(sentAfterClose()),
		"hostile":     hostile(),
	} {
		checkGolden(t, name+".md", render(t, Markdown, r, Options{Width: 80, Color: true}))
	}
}

func TestColorOnlyDressesTheText(t *testing.T) {
	strip := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, r := range []*analyze.Result{halfClosed(), sentAfterClose(), lostFin(), manyConnections(40)} {
		opt := Options{Width: 100, Box: true}
		want := render(t, Table, r, opt)
		opt.Color = true
		got := render(t, Table, r, opt)
		if !strings.Contains(got, "\x1b[") {
			t.Errorf("Color: no colour in\n%s", got)
		}
		if diff := cmp.Diff(want, strip.ReplaceAllString(got, "")); diff != "" {
			t.Errorf("colour changes the text (-want +got):\n%s", diff)
		}
		if strings.Contains(want, "\x1b") {
			t.Errorf("without Color: escape sequence in\n%s", want)
		}
	}
}
