package flows

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/closecap/closecap/internal/story"
)

func TestLostSegments(t *testing.T) {
	for name, want := range map[string]map[uint64]string{
		"half-close-with-reply":              {},
		"one-sided":                          {},
		"keep-alive-answered":                {},
		"fin-lost-once":                      {4: "it, or what answers it: frame 5 repeats it"},
		"last-ack-lost":                      {6: "it acknowledged frame 5, yet frame 7 repeats that"},
		"ack-lost-behind-its-round-trips":    {5: "it acknowledged frame 4, yet frame 6 repeats that"},
		"ack-on-its-way-as-data-comes-again": {},
		"unanswered":                         {1: "it, or what answers it: frame 2 repeats it", 2: "it, or what answers it: frame 3 repeats it", 3: "it, or what answers it: frame 4 repeats it"},
		"fin-unacked":                        {4: "it, or what answers it: frame 5 repeats it", 5: "it, or what answers it: frame 6 repeats it", 6: "it, or what answers it: frame 7 repeats it", 7: "it, or what answers it: frame 8 repeats it"},
		"retransmitted-data":                 {4: "it, or what answers it: frame 5 repeats it"},
		"silent":                             {6: "it, or what answers it: frame 7 repeats it", 7: "it, or what answers it: frame 8 repeats it", 8: "it, or what answers it: frame 9 repeats it", 9: "it, or what answers it: frame 10 repeats it"},
	} {
		data, err := os.ReadFile("testdata/stories/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		ar := txtar.Parse(data)
		got := map[uint64]string{}
		opt := storyOptions(t, string(ar.Comment))
		for _, c := range followAll(opt, story.Parse(t, string(ar.Files[0].Data))) {
			for _, s := range c.Segments {
				if s.Lost != "" {
					got[s.Frame] = s.Lost
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: lost (-want +got):\n%s", name, diff)
		}
	}
}
