package report

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// resetSentence names the sender, the frame and the cause.
func resetSentence(c *analyze.Connection, calls []*analyze.Call) string {
	reset := c.Reset
	if reset == nil {
		return "reset: by an RST that is not in the capture."
	}
	code := analyze.CauseCode(reset.Cause)
	cause, words := Safe(string(reset.Cause)), meantCause(c, calls)
	if o := madeReset(c); o != nil {
		words = madeWhere(o)
	}
	if words != "" {
		cause += ", " + words
	}
	before := ""
	if c.Closer != analyze.NoSide && finBefore(c, reset.Frame) {
		before = "the " + string(c.Closer) + " closed first with FIN" + halfCloseWords(c, calls) + "; then "
		if c.Closer == analyze.Both {
			before = "both ends had sent FIN; then "
		}
	} else if c.Closer == analyze.Both {
		before = "both ends reset it at once, each RST left before the other's arrived; "
	}
	return fmt.Sprintf("reset: %s%s RST (frame %d): %s.", before, fmt.Sprintf(code.Sent, reset.By), reset.Frame, cause)
}

// meantCause says what the cause of c's reset means there, in words.
func meantCause(c *analyze.Connection, calls []*analyze.Call) string {
	r := c.Reset
	switch own := callByID(calls, r.Call); {
	case r.Cause == analyze.DataAfterClose:
		return afterCloseWords(c, calls)
	case r.Cause == analyze.Aborted && (own != nil && own.Side == r.By || remoteCall(resetRoot(c)) != ""):
		return "it aborted the connection"
	}
	return analyze.CauseCode(r.Cause).Words
}

// segmentOf returns the segment of a frame of c, nil where it is not listed.
func segmentOf(c *analyze.Connection, frame uint64) *analyze.Segment {
	for _, s := range c.Segments {
		if s.Frame == frame {
			return s
		}
	}
	return nil
}

// resetRoot returns the root cause of c's RST; the zero value where that is not listed.
func resetRoot(c *analyze.Connection) (root analyze.Root) {
	if s := segmentOf(c, c.Reset.Frame); s != nil {
		root = s.Root
	}
	return root
}

// remoteCall names the call that is a root cause where the kernel alone tells of it; "" otherwise.
func remoteCall(root analyze.Root) string {
	if root.Kind == analyze.RootRemote {
		return root.Why
	}
	return ""
}

func finBefore(c *analyze.Connection, frame uint64) bool {
	for _, s := range c.Segments {
		if s.Frame < frame && s.Flags.Has(event.FIN) {
			return true
		}
	}
	return false
}

// resetSentences tell what drew the RST, and what calls met afterwards.
func resetSentences(c *analyze.Connection, calls []*analyze.Call) []string {
	var lines []string
	drew, root := callByID(calls, c.Reset.Call), resetRoot(c)
	switch {
	case drew != nil && drew.Side == c.Reset.By && root.Kind != analyze.RootAnswer:
		lines = append(lines, fmt.Sprintf("%s sent it.", callWords(drew)))
	case drew != nil && drew.Side != c.Reset.By:
		lines = append(lines, answeredSentence(c.Reset, drew))
	case drew == nil && remoteCall(root) != "":
		lines = append(lines, Safe(remoteCall(root))+" sent it, a call that was not recorded.")
	case c.Reset.Trigger != 0 && c.Ending != analyze.WasRefused:
		lines = append(lines, fmt.Sprintf("It answers frame %d of the %s.", c.Reset.Trigger, c.Reset.By.Other()))
	}
	if s := queuedSentence(c, calls); s != "" {
		lines = append(lines, s)
	}
	return append(lines, aftermath(c, calls)...)
}

// queuedSentence tells of the call by which the other end had closed before the RST, where its FIN waited behind
// data that never left.
func queuedSentence(c *analyze.Connection, calls []*analyze.Call) string {
	side, reset := c.Peer(c.Reset.By), timeOf(c, c.Reset.Frame)
	if l := c.Reset.Lost; l.From != side || l.Discarded == 0 || c.Fin(side) != nil {
		return ""
	}
	for _, k := range calls {
		if k.Side == side && k.Start < reset && k.EndsSending() {
			return fmt.Sprintf("%s had come %s before: the %s's FIN waited behind %s, and never left.",
				callWords(k), span(reset.Sub(k.Start)), side, count(c.Reset.Lost.Discarded, "byte"))
		}
	}
	return ""
}

// answeredSentence tells of a call that succeeded, or failed, and drew the RST.
func answeredSentence(reset *analyze.Reset, drew *analyze.Call) string {
	rst := fmt.Sprintf("frame %d (RST)", reset.Frame)
	if drew.Kind() != event.SendCall || drew.Ret <= 0 {
		return fmt.Sprintf("%s drew it: %s answers frame %d.", callWords(drew), rst, reset.Trigger)
	}
	s := fmt.Sprintf("%s returned %d, but %s answered it", callWords(drew), drew.Ret, rst)
	switch lost := reset.Lost.AfterClose + reset.Lost.Unacked; {
	case reset.Lost.TLSAlerts >= uint64(drew.Ret):
		s += ": it was a TLS alert, no data are lost"
	case reset.Lost.Closing >= uint64(drew.Ret):
		s += ": it was a message that only closes, no data are lost"
	case lost >= uint64(drew.Ret):
		s += fmt.Sprintf(": its %s are lost though the call succeeded", count(uint64(drew.Ret), "byte"))
	}
	return s + "."
}

const shownAftermath = 4 // calls after a reset that the verdict tells of

// aftermath tells what calls returned because of the RST, or in spite of it.
func aftermath(c *analyze.Connection, calls []*analyze.Call) []string {
	var lines []string
	reset := timeOf(c, c.Reset.Frame)
	for _, call := range calls {
		if call.ID == c.Reset.Call || call.End < reset || len(lines) == shownAftermath {
			continue
		}
		switch {
		case call.Errno == "EPIPE" || call.Errno == "ECONNRESET" || call.Errno == "ECONNREFUSED":
			lines = append(lines, fmt.Sprintf("%s got %s.", callWords(call), call.Errno))
		case call.Kind() == event.RecvCall && call.Errno == "" && call.Ret == 0:
			lines = append(lines, fmt.Sprintf("%s still returned EOF%s.", callWords(call), finWords(c, call)))
		case call.Kind() == event.RecvCall && call.Ret > 0:
			lines = append(lines, fmt.Sprintf("%s still returned %s that had come before the RST.",
				callWords(call), count(uint64(call.Ret), "byte")))
		}
	}
	return lines
}

// finWords explains an EOF after a reset by the FIN that had come before it.
func finWords(c *analyze.Connection, call *analyze.Call) string {
	for _, f := range call.ReturnedBy {
		for _, s := range c.Segments {
			if s.Frame == f && s.Flags.Has(event.FIN) {
				return fmt.Sprintf(": the %s's FIN (frame %d) came before the RST", s.From, f)
			}
		}
	}
	return ""
}

func timeOf(c *analyze.Connection, frame uint64) event.Time {
	if s := segmentOf(c, frame); s != nil {
		return s.Time
	}
	return c.End
}

func callByID(calls []*analyze.Call, id int) *analyze.Call {
	for _, c := range calls {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// callWords names a call in a sentence: "server send() #13".
func callWords(c *analyze.Call) string {
	return fmt.Sprintf("%s #%d", callLine(c).text, c.ID)
}
