package report

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
)

// Comments says of every frame why it was sent, one line each, by frame number: what a
// recording carries beside its packets.
func Comments(r *analyze.Result) map[uint64]string {
	calls := map[int]*analyze.Call{}
	for _, c := range r.Calls {
		calls[c.ID] = c
	}
	out := map[uint64]string{}
	for _, conn := range r.Connections {
		for _, s := range conn.Segments {
			out[s.Frame] = rootWords(s, calls[s.Root.Call])
		}
	}
	return out
}

// rootWords says why s was sent; c is the call at its root, nil when there is none.
func rootWords(s *analyze.Segment, c *analyze.Call) string {
	text := "cause unknown"
	switch s.Root.Kind {
	case analyze.RootCall:
		text = "caused by " + causeRef(c)
	case analyze.RootAnswer:
		text = fmt.Sprintf("the %s's kernel answers frame %d", s.From, s.Root.Frame)
		if c != nil {
			text += ", caused by " + causeRef(c)
		}
	case analyze.RootRemote:
		text = fmt.Sprintf("sent by the %s, whose calls were not recorded", s.From)
	case analyze.RootTimer:
		text = fmt.Sprintf("the %s's kernel: %s timer", s.From, s.Root.Timer)
		if s.Retransmits != 0 {
			text += fmt.Sprintf(", repeats frame %d", s.Retransmits)
		}
	}
	if s.Root.Why != "" {
		text += " (" + Safe(s.Root.Why) + ")"
	}
	return text
}

func causeRef(c *analyze.Call) string {
	if c == nil {
		return "an unrecorded call"
	}
	return fmt.Sprintf("#%d %s %s", c.ID, Safe(c.Actor), callName(c))
}
