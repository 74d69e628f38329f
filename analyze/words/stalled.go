package words

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// stalled is a close while an end read nothing, or soon after: of what was still to be sent, the calls tell whether
// its sender had given it up before that.
func (x *ended) stalled() string {
	s := x.c.Stall
	if s == nil || !x.closed || x.ends[x.closer].over.frame == 0 {
		return ""
	}
	over, until := x.ends[x.closer].over.time, s.Since.Add(time.Duration(s.NS))
	sender := Client
	if x.side[Client] == s.By {
		sender = Server
	}
	unread := min(over, until).Sub(s.Since)
	if unread < longIdle {
		return ""
	}
	k := x.endedSending(sender)
	if k != nil && (x.leftOver(k) || x.said[sender].missing > int64(x.unsent(k))) {
		return x.gaveUp(k, sender)
	}
	read := "had read nothing for " + analyze.Span(unread)
	switch closer := x.side[x.closer]; {
	case s.Ended && (x.closer != sender || !x.said[sender].cut || over.Sub(until) > unread):
		return ""
	case s.Ended:
		return fmt.Sprintf("the %s closed %s; until %s before, the %s %s", closer, x.middle(sender), margin(int64(over.Sub(until))), s.By, read)
	case x.closer == sender:
		return fmt.Sprintf("the %s closed after the %s %s%s", closer, s.By, read, aside(x.middle(sender)))
	case k != nil:
		return fmt.Sprintf("the %s closed, and %s%s; the %s had closed %s before (%s), with %s unsent", closer, read, aside(x.middle(sender)),
			x.side[sender], analyze.Span(over.Sub(k.Start)), named(k), analyze.Count(x.unsent(k), "byte"))
	case x.called(sender):
		return fmt.Sprintf("the %s closed, and %s%s", closer, read, aside(x.middle(sender)))
	default:
		return fmt.Sprintf("the %s closed, and %s%s; had the %s given up before, its FIN would wait behind what it could not send",
			closer, read, aside(x.middle(sender)), x.side[sender])
	}
}

// aside adds a part to a sentence, where there is one.
func aside(part string) string {
	if part == "" {
		return ""
	}
	return ", " + part
}

// gaveUp tells of the call by which an end gave up what the other did not read, and how that came out.
func (x *ended) gaveUp(k *analyze.Call, sender End) string {
	s, over := x.c.Stall, x.ends[x.closer].over.time
	did := " gave up sending"
	if k.EndsProcess() {
		did = "'s process ended"
	}
	why := fmt.Sprintf("the %s%s %s after the %s had stopped reading (%s), with %s unsent%s", x.side[sender], did,
		analyze.Span(k.Start.Sub(s.Since)), s.By, named(k), analyze.Count(x.unsent(k), "byte"), aside(x.middle(sender)))
	later := analyze.Span(over.Sub(k.Start))
	switch fin := x.c.Fin(k.Side); {
	case x.closer != sender:
		return why + fmt.Sprintf("; the %s closed %s later, and had read nothing since", s.By, later)
	case fin != nil && s.Ended:
		return why + fmt.Sprintf("; its FIN left %s later, when the %s read again", later, s.By)
	}
	return why
}

// endedSending returns the call by which an end closed while the other read nothing, nil where none was recorded.
func (x *ended) endedSending(sender End) *analyze.Call {
	s := x.c.Stall
	for _, k := range x.calls {
		if k.Side == x.side[sender] && k.EndsSending() {
			if k.Start < s.Since || k.Start > s.Since.Add(time.Duration(s.NS)) {
				return nil
			}
			return k
		}
	}
	return nil
}

// leftOver reports whether the last send before an end closed had not taken all that it was given.
func (x *ended) leftOver(closing *analyze.Call) (left bool) {
	for _, k := range x.calls {
		if k.Side == closing.Side && k.Kind() == event.SendCall && k.Start < closing.Start {
			left = k.TookLess()
		}
	}
	return left
}

// unsent returns how many bytes of what calls had sent were still in the queue when an end closed.
func (x *ended) unsent(closing *analyze.Call) uint64 {
	var taken, sent uint64
	for _, k := range x.calls {
		if k.Side == closing.Side && k.Bytes != nil && k.Kind() == event.SendCall && k.Start < closing.Start {
			taken = max(taken, k.Bytes[1])
		}
	}
	for _, s := range x.c.Segments {
		if s.From == closing.Side && s.Len > 0 && s.Time < closing.Start {
			sent = max(sent, uint64(s.Seq)+uint64(s.Len)-1)
		}
	}
	return taken - min(taken, sent)
}

// called reports whether any call of an end was recorded.
func (x *ended) called(e End) bool {
	for _, k := range x.calls {
		if k.Side == x.side[e] {
			return true
		}
	}
	return false
}

// named is a call as the other sentences write it.
func named(k *analyze.Call) string {
	if k.EndsProcess() {
		return fmt.Sprintf("%s %s #%d", k.Actor, k.Name, k.ID)
	}
	return fmt.Sprintf("%s %s() #%d", k.Actor, k.Name, k.ID)
}
