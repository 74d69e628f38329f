package analyze_test

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/explain"
)

// TestTopicsExist judges every ending, with every cause and shape, by the topic named for it.
func TestTopicsExist(t *testing.T) {
	named := 0
	for _, ending := range analyze.EndingNames() {
		for _, cause := range analyze.CauseNames() {
			for _, c := range []*analyze.Connection{
				{}, {Simultaneous: true}, {HalfClose: &analyze.HalfClose{Bytes: 1}},
			} {
				c.Ending = analyze.Ending(ending)
				c.Reset = &analyze.Reset{Cause: analyze.ResetCause(cause)}
				if topic := analyze.TopicOf(c); topic != "" {
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
