package verdict_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/explain"
)

// TestTopicsExist judges every ending, with every cause and shape, by the topic named for it.
func TestTopicsExist(t *testing.T) {
	named := 0
	for _, ending := range analyze.Names(analyze.EndingCodes()) {
		for _, cause := range analyze.Names(analyze.CauseCodes()) {
			for _, c := range []*analyze.Connection{
				{}, {Simultaneous: true}, {HalfClose: &analyze.HalfClose{Bytes: 1}},
			} {
				c.Ending = analyze.Ending(ending)
				c.Reset = &analyze.Reset{Cause: analyze.ResetCause(cause)}
				if topic := analyze.Topic(c); topic != "" {
					named++
					if explain.Lookup(topic) == nil {
						t.Errorf("%s, %s: topic %q does not exist", ending, cause, topic)
					}
				}
			}
		}
	}
	if named == 0 {
		t.Error("no ending names a topic")
	}
}

// TestTopicOnResetsNamesEveryCause holds the list of causes in `closecap explain reset` against
// the codes.
func TestTopicOnResetsNamesEveryCause(t *testing.T) {
	var listed []string
	for _, line := range explain.Lookup("reset").Text {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(line, "  ") && line[2] != ' ' {
			listed = append(listed, words[0])
		}
	}
	want := analyze.Names(analyze.CauseCodes())
	want = slices.DeleteFunc(want, func(code string) bool { return code == string(analyze.UnknownCause) })
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("the topic lists %q, want %q", listed, want)
	}
}
