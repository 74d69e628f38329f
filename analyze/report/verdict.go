package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Verdict says in plain words how c ended and why, a sentence or two a line. It names the
// calls of r where r has any.
func Verdict(r *analyze.Result, c *analyze.Connection) string { return outlineOf(r).verdict(c, nil) }

// Verdicts are the verdicts of all connections of r.
func Verdicts(r *analyze.Result) []string {
	o, words := outlineOf(r), make([]string, len(r.Connections))
	for i, c := range r.Connections {
		words[i] = o.verdict(c, nil)
	}
	return words
}

func (o *outline) verdict(c *analyze.Connection, zone *time.Location) string {
	calls := o.calls[c.ID]
	lines := []string{endingSentence(c, calls) + confidenceSentence(c)}
	if c.IsToItself() {
		lines = append(lines, "One socket is both ends: it had connected to its own address and port.")
	}
	lines = append(lines, lastWordsSentences(c)...)
	if s := otherLegSentence(c); s != "" {
		lines = append(lines, s)
	}
	if c.Reset != nil {
		lines = append(lines, resetSentences(c, calls)...)
	} else {
		lines = append(lines, enderSentences(c, calls)...)
	}
	lines = append(lines, closingSentences(c, calls)...)
	lines = append(lines, candidateSentences(c)...)
	if s := lostSentence(c); s != "" {
		lines = append(lines, s)
	}
	lines = append(lines, pathSentences(c)...)
	if s := idleSentence(c); s != "" {
		lines = append(lines, s)
	}
	if s := stallSentence(c); s != "" {
		lines = append(lines, s)
	}
	if s := relaySentence(c); s != "" {
		lines = append(lines, s)
	}
	if s := transferSentence(c); s != "" {
		lines = append(lines, s)
	}
	if r := c.Remapped; r != nil && !r.Earlier {
		lines = append(lines, fmt.Sprintf("Its numbers go on in frame %d, as %v: an address translation on the way has forgotten this connection.", r.Frame, r.Address))
	}
	if s := timeWaitSentence(c, zone); s != "" {
		if len(lines) == 1 {
			lines[0] += " " + s
		} else {
			lines = append(lines, s)
		}
	}
	lines = append(lines, likelySentences(c)...)
	if why := evidence(c); len(why) > 0 {
		lines = append(lines, "Evidence: "+Safe(strings.Join(why, "; "))+".")
	}
	return strings.Join(lines, "\n")
}

// evidence returns what supports the verdict where the ending's own sentence does not say it.
func evidence(c *analyze.Connection) []string {
	switch {
	case c.Reset != nil && c.Reset.Confidence != analyze.Unknown:
		return c.Reset.Why
	case c.Reset != nil:
		return append(slices.Clone(c.Reset.Why), c.Why...)
	case c.Ending == analyze.Graceful && c.Confidence != analyze.Inferred:
		return nil
	}
	return c.Why
}

func endingSentence(c *analyze.Connection, calls []*analyze.Call) string {
	closer := string(c.Closer)
	half := halfCloseWords(c, calls)
	switch c.Ending {
	case analyze.Graceful:
		if c.Simultaneous {
			return "graceful: both ends closed at once, each FIN left before the other's arrived (simultaneous close)."
		}
		if c.IsToItself() {
			return "graceful: the " + closer + " closed."
		}
		if c.Closer == analyze.NoSide {
			return "graceful: both ends closed; which of them first is not known."
		}
		return "graceful: the " + closer + " closed first" + half + "."
	case analyze.HalfClosed:
		return fmt.Sprintf("half-closed: the %s sent FIN, the %s had not closed when the capture ended%s.%s",
			c.FinBy, c.FinBy.Other(), half, leftStates(c))
	case analyze.FinUnacked:
		return fmt.Sprintf("fin-unacked: the %s sent FIN, and no acknowledgment of it was seen until the capture ended.%s",
			c.FinBy, leftStates(c))
	case analyze.WasReset:
		return resetSentence(c, calls)
	case analyze.WasRefused:
		return refusedSentence(c, calls)
	case analyze.Unanswered:
		return "unanswered: nothing came back to the client's SYN" + triedWords(c.Retransmits.Client, c.End.Sub(c.Start)) + "."
	case analyze.Open:
		return "open: the capture ends first." + leftStates(c)
	case analyze.Silent:
		return silentSentence(c)
	}
	first := ""
	switch {
	case c.Closer == analyze.Both:
		first = "both ends closed at once; "
	case c.Closer != analyze.NoSide:
		first = "the " + closer + " closed first" + half + "; "
	}
	if c.Reset != nil {
		return fmt.Sprintf("unknown: %san RST in the name of the %s came (frame %d); whether it ended the connection is not known.",
			first, c.Reset.By, c.Reset.Frame)
	}
	return "unknown: " + first + "the evidence does not show how it ended."
}

// candidateSentences say what may be where it is not known, or only inferred: a sentence for what has one reason.
func candidateSentences(c *analyze.Connection) []string {
	var lines []string
	for i := 0; i < len(c.Candidates); {
		p, values := c.Candidates[i], ""
		for ; i < len(c.Candidates) && c.Candidates[i].Claim == p.Claim && c.Candidates[i].Why == p.Why; i++ {
			if values != "" {
				values += " or "
			}
			values += Safe(c.Candidates[i].Value)
		}
		also := ""
		if p.Claim == analyze.ClaimCause && c.Reset != nil && c.Reset.Cause != analyze.UnknownCause {
			also = "also "
		}
		lines = append(lines, fmt.Sprintf("The %s may %sbe %s: %s.", Safe(p.Claim), also, values, Safe(p.Why)))
	}
	return lines
}

// triedWords say how often a SYN was sent, and in how long a time.
func triedWords(again uint64, within time.Duration) string {
	if again == 0 {
		return ""
	}
	return fmt.Sprintf(", sent %s in %s", count(again+1, "time"), span(within))
}

// leftStates says in which states the ends were last seen.
func leftStates(c *analyze.Connection) string {
	client, server := lastState(c.States.Client), lastState(c.States.Server)
	if client == event.StateUnknown || server == event.StateUnknown {
		return ""
	}
	return fmt.Sprintf(" Last seen: client %s, server %s.", client, server)
}

func lastState(changes []analyze.StateChange) event.TCPState {
	if len(changes) == 0 {
		return event.StateUnknown
	}
	return changes[len(changes)-1].State
}

func silentSentence(c *analyze.Connection) string {
	side := analyze.Client
	if c.Retransmits.Server > c.Retransmits.Client {
		side = analyze.Server
	}
	if last := len(c.Segments) - 1; last >= 0 && c.Segments[last].Frame == c.LastFrame {
		side = c.Segments[last].From // the other is the one that no longer answers
	}
	if c.Retransmits == (analyze.PerSide{}) {
		return "silent: probes went unanswered." + leftStates(c)
	}
	return fmt.Sprintf("silent: the %s sent again, the %s no longer answered.%s",
		side, side.Other(), leftStates(c))
}

func refusedSentence(c *analyze.Connection, calls []*analyze.Call) string {
	if c.Reset == nil {
		return "refused: the server answered the SYN with RST."
	}
	why := meantCause(c, calls)
	if o := madeReset(c); o != nil {
		return fmt.Sprintf("refused: the SYN was answered with RST in the name of the server (frame %d): %s, %s.", c.Reset.Frame, Safe(string(c.Reset.Cause)), madeWhere(o))
	}
	if c.Reset.Cause == analyze.ConnRefused {
		why = "nothing listens on " + c.Server.String()
		if c.Reset.Confidence != analyze.InKernel {
			why += ", or a firewall rejects it"
		}
	}
	tried := triedWords(c.Retransmits.Client, timeOf(c, c.Reset.Frame).Sub(c.Start))
	if tried != "" {
		tried += ","
	}
	if c.CloserSure == analyze.Inferred && c.Reset.Confidence != analyze.InKernel {
		return fmt.Sprintf("refused: the SYN was answered%s with RST in the name of the server (frame %d): %s.", tried, c.Reset.Frame, why)
	}
	return fmt.Sprintf("refused: the server answered the SYN%s with RST (frame %d): %s.", tried, c.Reset.Frame, why)
}

// noticed is from how long a window of 0 is worth a sentence: shorter ones are flow control at work.
const noticed = 200 * time.Millisecond

// stallSentence says who did not read, and how long nobody could send.
func stallSentence(c *analyze.Connection) string {
	s := c.Stall
	if s == nil || time.Duration(s.NS) < noticed {
		return ""
	}
	until := ""
	if !s.Ended {
		until = ", until the end of what was seen"
	}
	return fmt.Sprintf("Window 0 for %s%s: the %s's application did not read.", span(time.Duration(s.NS)), until, s.By)
}

func timeWaitSentence(c *analyze.Connection, zone *time.Location) string {
	if len(c.TimeWait) == 0 {
		if c.Ending == analyze.WasReset && c.Confidence != analyze.Unknown && c.Reset != nil && c.Reset.Cause != analyze.TimeWaitReset {
			return "TIME_WAIT: nobody, an RST ends a connection at once."
		}
		return ""
	}
	var stays []string
	for _, t := range c.TimeWait {
		stays = append(stays, fmt.Sprintf("%s, until %s%s", t.Holder, clockIn(t.Until, zone), timeWaitEnd(t)))
	}
	return "TIME_WAIT: " + strings.Join(stays, "; ") + "."
}

func timeWaitEnd(t analyze.TimeWait) string {
	s := ""
	if len(t.Rearmed) > 0 {
		noun := "frame "
		if len(t.Rearmed) > 1 {
			noun = "frames "
		}
		s = " (started anew by " + noun + frames(t.Rearmed) + ")"
	}
	frame := ""
	if t.EndFrame != 0 {
		frame = fmt.Sprintf(" (frame %d)", t.EndFrame)
	}
	if t.Assumed {
		s += ", as on Linux, which by its TTL it is not"
	}
	switch t.EndedBy {
	case "reuse":
		s += ", but a new SYN took the addresses over" + frame
	case "rst":
		s += ", but an RST ended it early" + frame
	}
	return s
}

func likelySentences(c *analyze.Connection) []string {
	var lines []string
	for _, l := range c.LikelyCalls {
		s := fmt.Sprintf("Likely call: %s %s", l.Side, Safe(l.Call))
		if l.Frame != 0 {
			s += fmt.Sprintf(" (frame %d)", l.Frame)
		}
		if l.Why != "" {
			s += ": " + Safe(l.Why)
		}
		lines = append(lines, s)
	}
	return lines
}

// lostSentence counts the bytes that reached no application, by sender and kind.
func lostSentence(c *analyze.Connection) string {
	var all []string
	for l := range c.Losses() {
		all = appendLoss(all, l)
	}
	for _, side := range [...]analyze.Side{analyze.Client, analyze.Server} {
		if n := *c.InFlight.Of(side); n > 0 {
			all = append(all, fmt.Sprintf("In flight when the capture ended: %s of the %s's data.", count(n, "byte"), side))
		}
	}
	return strings.Join(all, " ")
}

func appendLoss(all []string, lost *analyze.Lost) []string {
	var kinds []string
	for _, k := range lostKinds(lost) {
		if k.bytes > 0 {
			kinds = append(kinds, count(k.bytes, "byte")+" "+k.words)
		}
	}
	whose := ""
	if lost.From != analyze.NoSide {
		whose = " of the " + string(lost.From) + "'s data"
	}
	if len(kinds) > 0 {
		all = append(all, "Lost"+whose+": "+and(kinds)+closingMessages(lost)+".")
	}
	if lost.MayBe > 0 {
		all = append(all, "May be lost"+whose+": "+count(lost.MayBe, "byte")+" of which no acknowledgment was captured.")
	}
	return all
}

// closingMessages tell messages that only close from data.
func closingMessages(lost *analyze.Lost) string {
	kind, n := "TLS alerts", lost.TLSAlerts
	if lost.Closing > n {
		kind, n = "closing messages", lost.Closing
	}
	switch {
	case n == 0:
		return ""
	case lost.Sum() == 0:
		return ", " + kind + " alone: no application's data"
	}
	return ", of these " + count(n, "byte") + " " + kind
}

type lostKind struct {
	bytes uint64
	words string
}

func lostKinds(l *analyze.Lost) []lostKind {
	return []lostKind{
		{l.Unacked, "sent but never acknowledged"},
		{l.Unread, "acknowledged by the kernel but never read"},
		{l.AfterClose, "arrived after close"},
		{l.Discarded, "taken by send calls but never sent"},
		{l.Missing, "missing from the capture (not from the connection)"},
	}
}
