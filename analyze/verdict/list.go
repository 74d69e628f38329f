package verdict

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// ledger lists the stays in TIME_WAIT.
func (fl judged) ledger(sc *scratch) {
	sc.timeWait = sc.timeWait[:0]
	for e := range fl.Waits {
		w := &fl.Waits[e]
		if !fl.waits(tcp.End(e), &sc.connection) {
			continue
		}
		t := analyze.TimeWait{
			Holder: tcp.End(e).Side(), Since: w.Since, Until: w.Until, Confidence: analyze.Inferred,
			Assumed: !fl.KeepsLinuxTime(tcp.End(e)), Rearmed: []uint64{}, EndedBy: w.Ended.String(), EndFrame: w.EndFrame,
		}
		if t.Assumed && w.EndFrame == 0 {
			t.EndedBy = ""
		}
		if w.Seen && !fl.Dir[e].PastFin {
			t.Confidence = analyze.Observed
		}
		for _, r := range fl.Rearms {
			if r.Of == tcp.End(e) {
				t.Rearmed = append(t.Rearmed, r.Frame)
			}
		}
		sc.timeWait = append(sc.timeWait, t)
	}
	sc.connection.TimeWait = sc.timeWait
}

// waits reports whether e was in TIME_WAIT: it has acknowledged the peer's FIN, in a segment that was captured or,
// on one host, that is to come, or that must have arrived as nothing was sent again. Where nothing shows which of
// both FINs that was taken came first, e may have been in LAST_ACK.
func (fl judged) waits(e tcp.End, c *analyze.Connection) bool {
	d := &fl.Dir[e]
	if fl.lacksOfOdd(e) || fl.passedBy(e.Other()) {
		return false
	}
	first := d.AtFin.AckedWithin || fl.Dir[e.Other()].FinEnd != 0
	return fl.Waits[e].Since != 0 && !d.FinTwice && (fl.GotFinSurely(e) || c.Ending == analyze.Graceful && first)
}

// listStates copies the state changes to d.
func (fl judged) listStates(sc *scratch) {
	slab := slices.Grow(sc.changes[:0], len(fl.Changes))
	mayHaveCrossed := sc.connection.Closer == analyze.NoSide && !fl.Multipath // the FINs
	list := func(e tcp.End) []analyze.StateChange {
		from, before := len(slab), event.StateUnknown
		for i := range fl.Changes {
			ch := &fl.Changes[i]
			if ch.Of != e {
				continue
			}
			was := before
			before = ch.State
			if mayHaveCrossed && (was == event.LastAck && ch.Frame != fl.Reset.Frame || fl.passesByFin(e, ch)) {
				continue // it may be in CLOSING or TIME_WAIT, which an RST ends alike
			}
			if ch.State == event.TimeWait && !fl.waits(e, &sc.connection) || ch.State == event.Established && fl.mayNotHaveOpened(e) {
				continue
			}
			slab = slab[:len(slab)+1]
			st := &slab[len(slab)-1]
			st.State, st.Frame, st.Time, st.Confidence = ch.State, ch.Frame, ch.Time, analyze.Inferred
			if ch.Seen && !(ch.State == event.TimeWait && fl.Dir[e].PastFin) {
				st.Confidence = analyze.Observed
			}
		}
		return slab[from:len(slab):len(slab)]
	}
	sc.connection.States = analyze.States{Client: list(tcp.Client), Server: list(tcp.Server)}
	sc.changes = slab
}

// passesByFin reports whether ch is the state of an end that had got its peer's FIN before it sent its own, and
// only that own FIN shows so, or what it sent behind one that was not captured.
func (fl judged) passesByFin(e tcp.End, ch *tcp.Change) bool {
	if fl.Dir[e].AtFin.Late {
		return ch.State == event.CloseWait || ch.State == event.LastAck
	}
	return (ch.State == event.CloseWait || ch.State == event.LastAck && fl.GotFinFrame(e) == ch.Frame) && ch.Frame == fl.Dir[e].FinFrame
}

// flagTexts are the texts of all flags, made once.
var flagTexts = func() (texts [256]string) {
	for i := range texts {
		texts[i] = event.Flags(i).String()
	}
	return texts
}()

// staleNote says of a segment that it arrived in vain.
const staleNote = "its timestamp is older than what its receiver had taken, which drops it (PAWS, RFC 7323 5.3)"

// listSegments copies the kept segments to d.
func (fl judged) listSegments(sc *scratch) {
	n := len(fl.Listed)
	slab, listed := slices.Grow(sc.segments[:0], n)[:n], slices.Grow(sc.listed[:0], n)[:n]
	for i := range fl.Listed {
		r := &fl.Listed[i]
		s := &slab[i]
		*s = analyze.Segment{}
		s.Frame, s.Time, s.From, s.Kind = r.Frame, r.Time, r.From.Side(), r.Kind.Code()
		s.Flags, s.FlagText = r.Flags, flagTexts[r.Flags]
		s.Seq, s.Ack, s.Len, s.Window = r.Seq, r.Ack, r.Length, r.Window
		s.Retransmits, s.Answers = r.Repeats, r.Answers
		s.DataFin = r.Frame == fl.Dir[r.From].DataFinFrame
		s.Root.Kind = analyze.RootUnknown
		if r.Ignored != 0 {
			s.Ignored = r.Ignored.Text(r.Ref)
		}
		if r.Again {
			s.Notes = []string{"sent again: what it repeats is not listed"}
		}
		if r.Stale {
			s.Notes = append(s.Notes, staleNote)
		}
		listed[i] = s
	}
	sc.segments, sc.listed, sc.connection.Segments = slab, listed, listed
}

// warnings says what makes the verdict doubtful.
func (fl judged) warnings(c *analyze.Connection) {
	add := func(format string, args ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...)) }
	if fl.Warnings&tcp.WarnClock != 0 {
		add("timestamps run backwards: durations are doubtful")
	}
	if fl.Warnings&tcp.WarnTruncated != 0 {
		add("the capture cut segments: their options may be missing")
	}
	if fl.Warnings&tcp.WarnFragments != 0 {
		add("IP fragments: lengths are those of first fragments")
	}
	if fl.Warnings&tcp.WarnDuplicates != 0 {
		add("%s captured twice, counted once", analyze.Count(uint64(fl.Duplicates), "segment"))
	}
	if fl.Warnings&tcp.WarnEvicted != 0 {
		add("given up to bound memory: what came later is not in this verdict")
	}
	if (c.Packets.Client == 0 || c.Packets.Server == 0) && !fl.IsToItself() {
		if c.Ending != analyze.Unanswered {
			add("only one direction was captured")
		}
	}
	if n := fl.Dir[tcp.Client].Stale + fl.Dir[tcp.Server].Stale; n > 0 {
		add("%s with older timestamps than their receiver had taken: it drops them (PAWS)", analyze.Count(uint64(n), "segment"))
	}
	if n := fl.Dir[tcp.Client].Holes + fl.Dir[tcp.Server].Holes; n > 0 {
		add("the capture lacks %s", analyze.Count(uint64(n), "byte"))
	}
}

// likelyCalls infers what the applications called.
func (fl judged) likelyCalls(sc *scratch) {
	c, out := &sc.connection, slices.Grow(sc.likelyCalls[:0], 2)
	add := func(e tcp.End, call, why string, frame uint64) {
		out = append(out, analyze.LikelyCall{Side: e.Side(), Call: call, Why: why, Frame: frame})
	}
	for _, e := range [...]tcp.End{fl.Closer, fl.Closer.Other()} {
		d, p := &fl.Dir[e], &fl.Dir[e.Other()]
		if d.FinFrame == 0 {
			continue
		}
		if d.DataFinFrame != 0 {
			add(e, "close() or shutdown(SHUT_WR)", "its DATA_FIN ends its stream", d.DataFinFrame)
			continue
		}
		answered := fl.Reset.By == e && c.Reset != nil && c.Reset.Cause == analyze.DataAfterClose
		switch {
		case answered:
			add(e, "close() or shutdown(SHUT_RDWR)", "not shutdown(SHUT_WR): data after its FIN was answered by RST", d.FinFrame)
		case p.BytesAckedAfterFin > 0 && p.BytesAtPeerFin > 0:
			add(e, "shutdown(SHUT_WR)", "not close(): it acknowledged data after its FIN", d.FinFrame)
		case c.Closer != analyze.NoSide && fl.HasCloser && e != fl.Closer && !fl.Simultaneous:
			add(e, "close() or shutdown(SHUT_WR)", "its FIN follows the peer's", d.FinFrame)
		case c.Reset != nil && c.Reset.Cause == analyze.Aborted && fl.Reset.By == e:
			add(e, "close() or shutdown(SHUT_WR)", "it sent RST later: shutdown(SHUT_WR), if a call did that", d.FinFrame)
		default:
			add(e, "close() or shutdown(SHUT_WR)", "nothing came after its FIN that would tell them apart", d.FinFrame)
		}
	}
	if rst := &fl.Reset; c.Reset != nil && c.Reset.Cause == analyze.Aborted &&
		(fl.Dir[rst.By].FinFrame == 0 || fl.Dir[rst.By.Other()].BytesAckedAfterFin > 0) {
		add(rst.By, abortCalls(rst, fl.Dir[rst.By].Bytes), "a live socket sent RST instead of FIN", rst.Frame)
	}
	sc.likelyCalls, c.LikelyCalls = out, out
}

// abortCalls names the calls that abort as rst does, whose sender had sent a number of bytes.
func abortCalls(rst *tcp.Reset, sent uint64) string {
	call := "close() with SO_LINGER 0 or connect() with AF_UNSPEC"
	switch {
	case onlyUnreadResets(rst):
		return "close() with data unread"
	case rst.ReceivedData:
		call = "close() with data unread or with SO_LINGER 0, or connect() with AF_UNSPEC"
	}
	if rst.By == tcp.Server && sent == 0 {
		call += ", or close() of the listener before accept()"
	}
	return call
}
