package words

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
)

// idle is a close after a time in which nobody said anything.
func (x *ended) idle() string {
	idle := x.idled()
	if idle == 0 {
		return x.spokeLast()
	}
	if why := x.notified(idle); why != "" {
		return why
	}
	var b [96]byte
	why := appendIdling(append(append(append(b[:0], "the "...), x.side[x.closer]...), " closed"...), idle)
	m := &x.said[x.closer]
	if m.closing > 0 && m.sure == analyze.Inferred {
		x.unsure = true // it may have said something
	}
	if m.without != "" {
		why = append(append(why, " without "...), m.without...)
	}
	switch {
	case x.said[Client].counts:
		why = append(why, ", no request was outstanding"...)
	case !x.ends[Client].mute():
	case !x.ends[Server].mute():
		why = append(why, ", the client had said nothing"...)
	default:
		why = append(why, ", nothing had been said"...)
	}
	if bare := x.said[x.closer].bare; bare != "" {
		x.quotes(x.closer)
		why = append(append(why, ", "...), bare...)
	}
	if m := &x.said[Server]; m.goodbye.error {
		x.quotes(Server)
		why = fmt.Appendf(why, "; the last answer was %s (frame %d)", m.meaning, m.at.frame)
	}
	return string(why)
}

// idled is how long both ends had had nothing to say when the first closed, 0 for no time to speak of. An end that
// leaves data unread, or has no room for more, is behind, and not idle; and idling is no reason where the end of a
// process closed, or who had held the socket longest.
func (x *ended) idled() time.Duration {
	if !x.closed || x.ends[x.closer].over.frame == 0 || x.halfClosed() {
		return 0
	}
	if r, stall := x.c.Reset, x.c.Stall; r != nil && r.Cause == analyze.UnreadData && r.By == x.side[x.closer] || stall != nil && !stall.Ended {
		return 0
	}
	if fin := x.c.Fin(x.side[x.closer]); fin != nil && x.calls != nil {
		if ender, vain := fin.Enders(x.calls); vain != nil || ender != nil && ender.EndsProcess() {
			return 0
		}
	}
	if idle := x.silence(); idle >= longIdle {
		return idle
	}
	return 0
}

// silence is how long nobody had said anything when the first end closed.
func (x *ended) silence() time.Duration {
	if i := x.c.IdleClose; i != nil {
		return time.Duration(*i.IdleNS.Of(i.By))
	}
	over := x.ends[x.closer].over.time
	last := max(x.opened, x.again)
	for e := range x.said {
		m, at := &x.said[e], x.ends[e].at.time
		if m.closing > 0 && m.before != 0 { // as close_notify, with which TLS closes
			at = m.before
		}
		if at > over { // what met the close
			at = x.until
		}
		last = max(last, at)
	}
	return over.Sub(last)
}

// afterIdling says that the server had closed for that, as a part of a sentence.
func (x *ended) afterIdling() string {
	if m := &x.said[Server]; m.woke.at.frame != 0 && x.ends[Server].over.time.Sub(m.woke.at.time) < longIdle {
		return fmt.Sprintf("; the server had ended it%s: its last message (frame %d) is encrypted", idling(m.woke.idle), m.woke.at.frame)
	}
	if idle := idling(x.silence()); idle != "" {
		return "; the server had closed" + idle
	}
	return ""
}

// idling says after how long a time in which nobody said anything, as a part of a sentence; "" for no time to speak of.
func idling(idle time.Duration) string {
	if idle < longIdle {
		return ""
	}
	var b [32]byte
	return string(appendIdling(b[:0], idle))
}

func appendIdling(b []byte, idle time.Duration) []byte {
	return append(analyze.AppendSpan(append(b, " after "...), idle), " of idling"...)
}

// spokeLast is what an end that closed, or said that it closes, said just before, after a time in which nobody had said
// anything, where that can't be read.
func (x *ended) spokeLast() string {
	if !x.closed {
		return ""
	}
	over := x.ends[x.closer].over
	for e := range x.said {
		m, closes := &x.said[e], x.closer == End(e)
		if m.woke.at.frame == 0 || over.time.Sub(m.woke.at.time) >= longIdle || !closes && (m.closing == 0 || m.at.frame > over.frame) {
			continue
		}
		x.unsure = true
		why := fmt.Sprintf("the %s ended it%s: its last message (frame %d) is encrypted, ", x.side[e], idling(m.woke.idle), m.woke.at.frame)
		if closes {
			return why + "then it closed"
		}
		return why + fmt.Sprintf("then the %s closed", x.side[x.closer])
	}
	return ""
}
