package report

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWordsStayWhole draws every recording at the widths of terminals: a word of the table is one of the words
// that it has without a limit, unless the width is said to be too small.
func TestWordsStayWhole(t *testing.T) {
	between := regexp.MustCompile(`[|\s]+`)
	for name, r := range recordings(t) {
		words := func(width int) (all []string, needs int) {
			var out bytes.Buffer
			opt := Options{Width: width, TooNarrow: func(n int) { needs = n }}
			if err := Write(&out, Table, r, opt); err != nil {
				t.Fatal(err)
			}
			for l := range strings.SplitSeq(out.String(), "\n") {
				if width > 0 && textWidth(l) > width && needs == 0 {
					t.Errorf("%s: line of %d in %d columns: %s", name, textWidth(l), width, l)
				}
			}
			return between.Split(out.String(), -1), needs
		}
		whole, _ := words(0)
		for _, width := range []int{60, 80, 100, 120, 160} {
			got, needs := words(width)
			if needs > 0 {
				if needs <= width || width >= 80 {
					t.Errorf("%s: needs %d of %d columns", name, needs, width)
				}
				continue
			}
			for _, w := range got {
				if slices.Contains(whole, w) || strings.HasSuffix(w, "(") || strings.Contains(w, "xxx") || strings.HasPrefix(w, "+--") {
					continue
				}
				if i := slices.IndexFunc(whole, func(all string) bool { return strings.HasPrefix(all, w) && !atJoint(all[len(w)-1:]) }); i >= 0 {
					t.Errorf("%s in %d columns: %q of %q", name, width, w, whole[i])
				}
			}
		}
		if _, needs := words(30); needs <= 30 {
			t.Errorf("%s in 30 columns: needs %d, want more", name, needs)
		}
	}
}

func atJoint(last string) bool { return last == "," || last == "/" }
