package analyze

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// ledger lists the stays in TIME_WAIT.
func (fl judged) ledger(d *scratch) {
	d.timeWait = d.timeWait[:0]
	for e := range fl.tw {
		w := &fl.tw[e]
		if w.since == 0 {
			continue
		}
		t := TimeWait{
			Holder: end(e).side(), Since: w.since, Until: w.until, Confidence: Inferred,
			Rearmed: []uint64{}, EndedBy: endedByNames[w.ended], EndFrame: w.endFrame,
		}
		if w.seen {
			t.Confidence = Observed
		}
		for _, r := range fl.rearms {
			if r.of == end(e) {
				t.Rearmed = append(t.Rearmed, r.frame)
			}
		}
		d.timeWait = append(d.timeWait, t)
	}
	d.connection.TimeWait = d.timeWait
}

// listStates copies the state changes to d.
func (fl judged) listStates(d *scratch) {
	slab := slices.Grow(d.changes[:0], len(fl.changes))
	list := func(e end) []StateChange {
		from := len(slab)
		for i := range fl.changes {
			ch := &fl.changes[i]
			if ch.of != e {
				continue
			}
			slab = slab[:len(slab)+1]
			st := &slab[len(slab)-1]
			st.State, st.Frame, st.Time, st.Confidence = ch.state, ch.frame, ch.time, Inferred
			if ch.seen {
				st.Confidence = Observed
			}
		}
		return slab[from:len(slab):len(slab)]
	}
	d.connection.States = States{Client: list(client), Server: list(server)}
	d.changes = slab
}

// flagTexts are the texts of all flags, made once.
var flagTexts = func() (texts [256]string) {
	for i := range texts {
		texts[i] = event.Flags(i).String()
	}
	return texts
}()

// listSegments copies the kept segments to d.
func (fl judged) listSegments(d *scratch) {
	n := len(fl.records)
	slab, listed := slices.Grow(d.segments[:0], n)[:n], slices.Grow(d.listed[:0], n)[:n]
	for i := range fl.records {
		r := &fl.records[i]
		s := &slab[i]
		*s = Segment{}
		s.Frame, s.Time, s.From, s.Kind = r.frame, r.time, r.from.side(), kinds[r.kind]
		s.Flags, s.FlagText = r.flags, flagTexts[r.flags]
		s.Seq, s.Ack, s.Len, s.Window = r.seq, r.ack, r.length, r.window
		s.Retransmits, s.Answers = r.repeats, r.answers
		s.Root.Kind = RootUnknown
		if r.ignored != 0 {
			s.Ignored = r.ignored.text(r.ref)
		}
		if r.again {
			s.Notes = []string{"sent again: what it repeats is not listed"}
		}
		listed[i] = s
	}
	d.segments, d.listed, d.connection.Segments = slab, listed, listed
}

// text says in words why a segment was ignored, "" when it was not.
func (g ignored) text(ref uint64) string {
	switch g {
	case sameFrame:
		return fmt.Sprintf("the same packet as frame %d, captured twice", ref)
	case outsideWindow:
		return "its sequence number lies outside the receive window"
	case insideWindow:
		return "its sequence number is not exactly the next one: a challenge ACK is due (RFC 5961)"
	case wrongSynAck:
		return "it does not acknowledge the SYN"
	case receiverGoesOn:
		return fmt.Sprintf("its receiver goes on with frame %d", ref)
	case alreadyClosed:
		return "the connection had ended"
	case beyondSent:
		return "it acknowledges what was never sent"
	case staysInSynRecv:
		return fmt.Sprintf("it refuses frame %d, and its sender stays in SYN_RECV (RFC 9293 3.10.7.4)", ref)
	case secondFin:
		return fmt.Sprintf("the stream already ended with the FIN of frame %d", ref)
	case otherISN:
		return fmt.Sprintf("its sequence number is another than that of frame %d", ref)
	case underSent:
		return "its sequence number lies before data that had been sent"
	case synWithFin:
		return "no stack takes SYN and FIN together"
	}
	return ""
}

// warnings says what makes the verdict doubtful.
func (fl judged) warnings(c *Connection) {
	add := func(format string, args ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...)) }
	if fl.warn&warnClock != 0 {
		add("timestamps run backwards: durations are doubtful")
	}
	if fl.warn&warnTruncated != 0 {
		add("the capture cut segments: their options may be missing")
	}
	if fl.warn&warnFragments != 0 {
		add("IP fragments: lengths are those of first fragments")
	}
	if fl.warn&warnDuplicates != 0 {
		add("%s captured twice, counted once", Count(uint64(fl.twins), "segment"))
	}
	if fl.warn&warnEvicted != 0 {
		add("given up to bound memory: what came later is not in this verdict")
	}
	if c.Packets.Client == 0 || c.Packets.Server == 0 {
		if c.Ending != Unanswered {
			add("only one direction was captured")
		}
	}
	if n := fl.half[client].holes + fl.half[server].holes; n > 0 {
		add("the capture lacks %s", Count(uint64(n), "byte"))
	}
}

// likelyCalls infers what the applications called.
func (fl judged) likelyCalls(d *scratch) {
	c, out := &d.connection, slices.Grow(d.likelyCalls[:0], 2)
	add := func(e end, call, why string, frame uint64) {
		out = append(out, LikelyCall{Side: e.side(), Call: call, Why: why, Frame: frame})
	}
	for _, e := range [...]end{fl.closer, fl.closer.other()} {
		h, p := &fl.half[e], &fl.half[e.other()]
		if h.finFrame == 0 {
			continue
		}
		answered := fl.rst.frame != 0 && fl.rst.by == e && c.Reset != nil && c.Reset.Cause == DataAfterClose
		switch {
		case answered:
			add(e, "close()", "not shutdown(SHUT_WR): data after its FIN was answered by RST (shutdown(SHUT_RDWR) looks alike)", h.finFrame)
		case c.Reset != nil && c.Reset.Cause == Linger2 && fl.rst.by == e:
			add(e, "close() with TCP_LINGER2 below 0", "its kernel answered the ACK of its FIN with RST", h.finFrame)
		case p.bytesAckedAfterFin > 0 && p.bytesAtPeerFin > 0:
			add(e, "shutdown(SHUT_WR)", "not close(): it acknowledged data after its FIN", h.finFrame)
		case p.finEnd != 0 && p.finFrame < h.finFrame && !fl.simul:
			add(e, "close()", "its FIN follows the peer's", h.finFrame)
		default:
			add(e, "close() or shutdown(SHUT_WR)", "nothing came after its FIN that would tell them apart", h.finFrame)
		}
	}
	if c.Reset != nil && c.Reset.Cause == Aborted {
		call := "close() with SO_LINGER 0"
		if fl.rst.receivedData {
			call = "close() with data unread, or with SO_LINGER 0"
		}
		if fl.rst.by == server && fl.half[server].bytes == 0 {
			call += ", or close() of the listener before accept()"
		}
		add(fl.rst.by, call, "a live socket sent RST instead of FIN", fl.rst.frame)
	}
	d.likelyCalls, c.LikelyCalls = out, out
}
