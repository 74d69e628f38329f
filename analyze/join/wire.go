package join

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// item is a segment as an expectation describes it; zero fields match anything.
type item struct {
	side  analyze.Side
	kind  analyze.Kind
	size  int // payload bytes, -1 for any
	again bool
}

var itemKinds = map[string]analyze.Kind{
	"SYN": analyze.KindSyn, "SYN-ACK": analyze.KindSynAck, "DATA": analyze.KindData, "FIN": analyze.KindFin, "ACK": analyze.KindAck, "RST": analyze.KindRst,
	"KEEPALIVE": analyze.KindKeepalive, "PROBE": analyze.KindWindowProbe, "CHALLENGE": analyze.KindChallenge, "WINDOW": analyze.KindWindow, "ANY": "",
}

func parseItem(text string) item {
	it := item{size: -1}
	for i, w := range strings.Fields(text) {
		kind, isKind := itemKinds[w]
		n, err := strconv.Atoi(w)
		switch {
		case i == 0 && (w == string(analyze.Client) || w == string(analyze.Server)):
			it.side = analyze.Side(w)
		case isKind:
			it.kind = kind
		case w == "again":
			it.again = true
		case err == nil:
			it.size = n
		}
	}
	return it
}

func (it item) matches(s *analyze.Segment) bool {
	return (it.side == analyze.NoSide || it.side == s.From) &&
		(it.kind == "" || it.kind == s.Kind) &&
		(it.size < 0 || it.size == int(s.Len)) &&
		it.again == (s.Retransmits != 0)
}

// inOrder reports whether the items match some of segs in this order.
func inOrder(items []string, segs []*analyze.Segment) bool {
	for _, text := range items {
		i := slices.IndexFunc(segs, parseItem(text).matches)
		if i < 0 {
			return false
		}
		segs = segs[i+1:]
	}
	return true
}

// described is of how many segments an expectation says what was seen.
const described = 1000

func describe(segs []*analyze.Segment) string {
	if len(segs) == 0 {
		return "nothing"
	}
	var out []string
	for _, s := range segs[:min(len(segs), described)] {
		text := fmt.Sprintf("%s %s", s.From, strings.ToUpper(string(s.Kind)))
		if s.Len > 0 {
			text += fmt.Sprintf(" %d", s.Len)
		}
		if s.Retransmits != 0 {
			text += " again"
		}
		out = append(out, text)
	}
	if more := len(segs) - described; more > 0 {
		out = append(out, fmt.Sprintf("and %s", analyze.Count(uint64(more), "more segment")))
	}
	return strings.Join(out, ", ")
}

func expectWire(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	return describe(c.Segments), inOrder(e.Args, c.Segments)
}

func expectNoWire(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	it := parseItem(e.Args[0])
	i := slices.IndexFunc(c.Segments, it.matches)
	if i < 0 {
		return "none", true
	}
	return fmt.Sprintf("frame %d", c.Segments[i].Frame), false
}

func expectCaused(x *examined, _ *analyze.Connection, e *event.Expectation) (string, bool) {
	call := x.calls[e.After]
	if call == nil {
		return "no call before it", false
	}
	return x.judgeFrames(call.Caused, e.Args)
}

func expectReturnedBy(x *examined, _ *analyze.Connection, e *event.Expectation) (string, bool) {
	call := x.calls[e.After]
	if call == nil {
		return "no call before it", false
	}
	return x.judgeFrames(call.ReturnedBy, e.Args)
}

func (x *examined) judgeFrames(frames []uint64, want []string) (string, bool) {
	named := make(map[uint64]bool, len(frames))
	for _, f := range frames {
		named[f] = true
	}
	var segs []*analyze.Segment
	for _, c := range x.Connections {
		for _, s := range c.Segments {
			if named[s.Frame] {
				segs = append(segs, s)
			}
		}
	}
	if len(want) == 1 && want[0] == "nothing" {
		return describe(segs), len(segs) == 0
	}
	return describe(segs), inOrder(want, segs)
}
