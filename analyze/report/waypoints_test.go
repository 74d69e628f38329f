package report

import (
	"regexp"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestPicturesTellWhereSegmentsWereSeen has two points, the farther of which lacks the last segment, and nothing
// that says what became of it.
func TestPicturesTellWhereSegmentsWereSeen(t *testing.T) {
	r := withoutCalls(halfClosed())
	c := r.Connections[0]
	c.Vantages = []analyze.Vantage{{Point: "near", Client: c.Client, Server: c.Server}, {Point: "far", Client: c.Client, Server: c.Server}}
	want := 0
	for i := range c.Segments {
		s := c.Segments[i]
		s.Seen = []analyze.Sighting{{Point: "near", Frame: s.Frame}}
		if i < len(c.Segments)-1 {
			s.Seen = append(s.Seen, analyze.Sighting{Point: "far", Frame: s.Frame})
		}
		want += len(s.Seen)
	}
	ladder := render(t, Ladder, r, Options{Width: 120})
	arrows := regexp.MustCompile(`(?m)^.*[-<]-.*$`).FindAllString(ladder, -1)
	if broken := regexp.MustCompile(`-\+-+:-+`); len(arrows) < 2 || !broken.MatchString(arrows[len(arrows)-2]) || broken.MatchString(arrows[0]) {
		t.Errorf("the last arrow alone is to be broken at the second point:\n%s", ladder)
	}
	if got := strings.Count(render(t, SVG, r, Options{}), `class="seen"`); got != want {
		t.Errorf("%d dots for %d sightings", got, want)
	}
	if got := render(t, Mermaid, r, Options{}); !strings.Contains(got, "captured at 1 near") || strings.Contains(got, "where it was seen") {
		t.Errorf("Mermaid's arrows have no marks, and yet it says:\n%s", got)
	}
}
