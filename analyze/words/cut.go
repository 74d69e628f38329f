package words

import (
	"cmp"
	"fmt"

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
		why := "the " + string(x.side[x.closer]) + " closed " + middle
		over, began := x.ends[x.closer].over.time, x.said[e].began
		switch {
		case x.idled() > 0: // who throttles what it sends, or waits for the rest, does not idle
			why += ", " + analyze.Span(over.Sub(max(cmp.Or(x.said[e].ended, x.ends[e].at.time), x.again))) + " after its last byte"
		case began != 0 && over.Sub(began) >= longIdle:
			why += ", " + analyze.Span(over.Sub(began)) + " after it began"
		}
		if m := &x.said[Server]; x.said[e].answered && m.at.frame < x.ends[x.closer].over.frame {
			x.quotes(Server)
			why += fmt.Sprintf("; its answer had come before: %s (frame %d)", m.meaning, m.at.frame)
		}
		return why
	}
	return ""
}

// middle says that the end of e's message did not come, where that is so, as a part of a sentence.
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
	where := "in the middle of " + whose + " message: "
	if m.short {
		where = "after " + whose + " message, which was too short: "
	}
	return fmt.Sprintf("%s%s (frame %d)", where, cmp.Or(m.torn, m.meaning), cmp.Or(m.tornAt.frame, m.at.frame))
}
