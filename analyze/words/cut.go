package words

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// cut is a message whose end did not come.
func (x *ended) cut() string {
	if !x.closed {
		return ""
	}
	for _, e := range [...]End{Client, Server} {
		middle := x.middle(e)
		if middle == "" {
			continue
		}
		why := "the " + string(x.side[x.closer]) + " closed" + strings.TrimPrefix(middle, ",")
		if x.idled() > 0 { // who throttles what it sends, or waits for the rest, does not idle
			why += ", " + analyze.Span(x.ends[x.closer].over.time.Sub(max(cmp.Or(x.said[e].ended, x.ends[e].at.time), x.again))) + " after its last byte"
		}
		if x.said[e].answered {
			x.quotes(Server)
			why += fmt.Sprintf("; its answer had come before: %s (frame %d)", x.said[Server].meaning, x.said[Server].at.frame)
		}
		return why
	}
	return ""
}

// middle says that the end of e's message did not come, where that is so.
func (x *ended) middle(e End) string {
	m := &x.said[e]
	if !m.cut {
		return ""
	}
	x.quotes(e)
	x.topic = cmp.Or(topicOf(m.protocol), "end-of-file-by-fin")
	whose := "its own"
	if x.closer != e {
		whose = "the " + string(x.side[e]) + "'s"
	}
	return fmt.Sprintf(", in the middle of %s message: %s (frame %d)", whose, m.meaning, m.at.frame)
}
