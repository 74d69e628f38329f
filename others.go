package closecap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/decode"
)

// mostOthers is how many kinds of other packets are named.
const mostOthers = 8

// othersWarning says what the packets without TCP were, where that matters: all of them where no
// connection was found, otherwise those in which there may be one. It is "" where there are none.
func othersWarning(all *decode.Others, connections uint64) string {
	type kind struct {
		name    string
		packets uint64
	}
	var kinds []kind
	rest := all.Rest()
	for o, n := range all.All() {
		if connections == 0 || o.Hidden() {
			kinds = append(kinds, kind{o.String(), n})
		}
	}
	slices.SortStableFunc(kinds, func(a, b kind) int { return cmp.Compare(b.packets, a.packets) })
	var words []string
	for i, k := range kinds {
		if i >= mostOthers {
			rest += k.packets
			continue
		}
		n := fmt.Sprint(k.packets)
		if i == 0 {
			n = analyze.Count(k.packets, "packet")
		}
		words = append(words, n+": "+k.name)
	}
	switch {
	case len(kinds) == 0:
		return ""
	case rest > 0:
		words = append(words, fmt.Sprintf("%d: other kinds", rest))
	}
	if connections == 0 {
		return "no TCP packet; " + strings.Join(words, "; ")
	}
	return "not looked into, and may carry TCP: " + strings.Join(words, "; ")
}
