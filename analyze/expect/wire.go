package expect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
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

// InOrder reports whether the items match some of segs in this order.
func InOrder(items []string, segs []*analyze.Segment) bool {
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

// Describe lists segments as expectations name them.
func Describe(segs []*analyze.Segment) string {
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
