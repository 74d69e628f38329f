package report

import (
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// foldFrom is how many uneventful segments in a row are shown as one line.
const foldFrom = 8

// segmentRun is one segment, or several uneventful ones that are shown as one.
type segmentRun []*analyze.Segment

// fold puts the middle of long transfers together. The first and the last segment of each
// stay on their own, and so does all that is worth a look.
func fold(segments []*analyze.Segment) []segmentRun {
	var runs []segmentRun
	for i := 0; i < len(segments); {
		j := i
		for j < len(segments) && uneventful(segments[j]) {
			j++
		}
		if j-i >= foldFrom {
			runs = append(runs, segments[i:i+1], segments[i+1:j-1], segments[j-1:j])
			i = j
			continue
		}
		for j = max(j, i+1); i < j; i++ {
			runs = append(runs, segments[i:i+1])
		}
	}
	return runs
}

func uneventful(s *analyze.Segment) bool {
	switch s.Kind {
	case analyze.KindData, analyze.KindAck, analyze.KindWindow:
		return s.Flags&(event.SYN|event.FIN|event.RST) == 0 && s.Retransmits == 0 && s.Ignored == "" && len(s.Notes) == 0 && !s.DataFin && (s.Lost == "" || len(s.Seen) == 0)
	}
	return false
}

// words sums up a folded run: "… 118 more segments: → 170,000 bytes, ← 59 ACKs".
func (r segmentRun) words() string {
	var parts []string
	for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
		var bytes, acks uint64
		for _, s := range r {
			switch {
			case s.From != side:
			case s.Len > 0:
				bytes += uint64(s.Len)
			default:
				acks++
			}
		}
		if bytes > 0 {
			parts = append(parts, arrow(side)+" "+count(bytes, "byte"))
		}
		if acks > 0 {
			parts = append(parts, arrow(side)+" "+count(acks, "ACK"))
		}
	}
	return fmt.Sprintf("… %s: %s", count(uint64(len(r)), "more segment"), strings.Join(parts, ", "))
}
