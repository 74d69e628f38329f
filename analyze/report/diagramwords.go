package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// size writes a number of bytes in the unit that suits it.
func size(n uint64) string {
	switch {
	case n < 10_000:
		return count(n, "byte")
	case n < 10_000_000:
		return grouped((n+500)/1000) + " kB"
	}
	return grouped((n+500_000)/1_000_000) + " MB"
}

// label is a line beside a lifeline.
type label struct {
	text  string
	style style
	state string // where it names a state
}

// endName names an end, and who makes its calls where that has a name of its own.
func (d *diagram) endName(side analyze.Side) string {
	actor := d.actors[lifeline(side)]
	if actor == string(side) {
		return actor
	}
	return string(side) + " " + shorten(Safe(actor), shownText)
}

const shownCall = 60 // characters of a call that a picture shows

// callLabel writes the call of a row: "shutdown(SHUT_WR) = 0".
func (d *diagram) callLabel(row *diagramRow) label {
	c := row.call
	l := label{text: shorten(callName(c), shownCall), style: callLine(c).style}
	if c.Actor != d.actors[lifeline(row.side)] && c.Actor != "" {
		l.text = shorten(Safe(c.Actor), shownText) + " " + l.text
	}
	if c.Errno != "" && row.part != callBegins {
		l.style = bad
	}
	switch {
	case !returned(c):
		l.text, l.style = l.text+" never returns", warn
	case row.part == callBegins:
		l.text += " waits"
	default:
		if row.part == callReturns {
			l.text = "… " + l.text
		}
		l.text += callOutcome(c)
	}
	return l
}

// stepWords writes a line of the script that is no call of either end.
func stepWords(c *analyze.Call) string {
	words := shorten(callName(c), shownCall)
	if actor := Safe(c.Actor); actor != "" {
		words = shorten(actor, shownText) + " " + words
	}
	return words
}

// callOutcome writes what a call returned and which frames made it return: " = EOF (by 12)".
func callOutcome(c *analyze.Call) string {
	words := resultWords(c)
	if c.Kind() == event.RecvCall && c.Ret > 0 {
		words = fmt.Sprint(c.Ret)
	}
	if words == "" {
		return ""
	}
	words = " " + together("= "+shorten(words, shownText))
	if len(c.ReturnedBy) > 0 {
		words += " " + together("(by "+frames(c.ReturnedBy)+")")
	}
	return words
}

// segmentLabel writes what a segment is for its arrow: flags, stream range, length.
func segmentLabel(s *analyze.Segment) string {
	words := s.Flags.Words()
	switch s.Kind {
	case analyze.KindKeepalive, analyze.KindWindowProbe, analyze.KindChallenge:
		words = segmentName(s)
	case analyze.KindWindow:
		words = segmentName(s)
	case analyze.KindAck:
		if s.Len == 0 {
			words += fmt.Sprintf(" %d", s.Ack)
		}
	}
	if s.Len > 0 || s.Flags.Has(event.FIN) {
		words += " " + seqRange(s)
	}
	if s.Len > 0 {
		words += " (" + size(uint64(s.Len)) + ")"
	}
	return words
}

// shortSegmentLabel is segmentLabel for narrow columns, with tcpdump's letters.
func shortSegmentLabel(s *analyze.Segment) string {
	if s.Len == 0 || s.Flags.Has(event.SYN) {
		return segmentLabel(s)
	}
	words := fmt.Sprintf("%s %s", s.Flags, seqRange(s))
	if s.Len < 10_000 {
		words += fmt.Sprintf(" (%d)", s.Len)
	}
	return words
}

// sideLabels says what stands beside both lifelines at a row.
func (d *diagram) sideLabels(row *diagramRow) (labels [2][]label) {
	at := lifeline(row.side)
	switch row.kind {
	case callRowKind:
		if row.side != analyze.NoSide {
			labels[at] = append(labels[at], d.callLabel(row))
		}
	case foldKind:
		for _, side := range bothSides {
			for _, words := range foldedCalls(row, side) {
				labels[lifeline(side)] = append(labels[lifeline(side)], label{text: words, style: dim})
			}
		}
	case segmentKind:
		s := row.segments[0]
		if words := senderWord(s); words != "" {
			labels[at] = append(labels[at], label{text: words, style: warn})
		}
		for _, words := range d.receiverWords(s) {
			labels[1-at] = append(labels[1-at], label{text: words, style: bad})
		}
		if words := d.unreadWords(s); words != "" {
			labels[at] = append(labels[at], label{text: words, style: bad})
		}
		if d.first == s {
			labels[at] = append(labels[at], label{text: d.firstWords(), style: bold})
		}
	case timeWaitKind:
		labels[at] = append(labels[at], label{text: timeWaitWords(row.wait, d.zone), style: dim})
	}
	for column := range labels {
		for _, e := range row.entered[column] {
			labels[column] = append(labels[column], label{stateWords(e), stateStyle(e.name), e.name})
		}
	}
	return labels
}

// firstWords says at the segment that began the end who sent it.
func (d *diagram) firstWords() string {
	switch {
	case d.conn.Simultaneous:
		return "closes, both at once"
	case d.first.Flags.Has(event.RST):
		return "resets"
	}
	return "closes first"
}

// firstClosing returns the segment that began the end of c, nil where nobody is known to have
// ended it.
func firstClosing(c *analyze.Connection) *analyze.Segment {
	for _, s := range c.Segments {
		if s.Flags&(event.FIN|event.RST) != 0 && s.Ignored == "" && (c.Closer == s.From || c.Closer == analyze.Both) {
			return s
		}
	}
	return nil
}

// stateWords writes a state as it stands beside its lifeline.
func stateWords(e stateEntry) string {
	if e.asked {
		return Safe(e.name) + " (kernel)"
	}
	return Safe(e.name)
}

func stateStyle(state string) style {
	switch phaseOf(state) {
	case open:
		return good
	case active, passive:
		return warn
	case waiting, closed:
		return dim
	}
	return plain
}

// senderWord says what stands behind a segment that no call sent.
func senderWord(s *analyze.Segment) string {
	switch {
	case s.Retransmits != 0 && s.Root.Timer != "":
		return fmt.Sprintf("%s timer: %d again", Safe(s.Root.Timer), s.Retransmits)
	case s.Retransmits != 0:
		return fmt.Sprintf("%d again", s.Retransmits)
	case s.Root.Kind == analyze.RootTimer && s.Root.Timer != "":
		return Safe(s.Root.Timer) + " timer"
	}
	return ""
}

// receiverWords says what became of a segment that its receiver did not take.
func (d *diagram) receiverWords(s *analyze.Segment) []string {
	var words []string
	if s.Lost != "" {
		words = append(words, lossWords(s))
	}
	if s.Ignored != "" {
		words = append(words, "ignored")
	}
	r := d.conn.Reset
	if r == nil {
		return words
	}
	if s.Frame == r.Trigger && r.Lost.AfterClose > 0 && s.Len > 0 {
		words = append(words, count(r.Lost.AfterClose, "byte")+" lost, came after close")
	}
	if s.Frame == r.Frame && r.Lost.Unacked > 0 && r.Lost.From == d.conn.Peer(s.From) {
		words = append(words, count(r.Lost.Unacked, "byte")+" lost, never acknowledged")
	}
	return words
}

// unreadWords says what the sender of an RST had not read.
func (d *diagram) unreadWords(s *analyze.Segment) string {
	if r := d.conn.Reset; r != nil && s.Frame == r.Frame && r.Lost.Unread > 0 {
		return count(r.Lost.Unread, "byte") + " lost, never read"
	}
	return ""
}

func timeWaitWords(w *analyze.TimeWait, zone *time.Location) string {
	words := "TIME_WAIT"
	if w.Since != 0 {
		words += " " + together(fmt.Sprintf("%.3g s,", w.Until.Sub(w.Since).Seconds()))
	}
	return words + " until " + strings.TrimSuffix(clockIn(w.Until, zone), " UTC") + timeWaitEnd(*w)
}

// arrowText says what a row's arrow carries, "" where there is none.
func (d *diagram) arrowText(row *diagramRow, short bool) string {
	switch row.kind {
	case segmentKind:
		s := row.segments[0]
		words := segmentLabel(s)
		if short {
			words = shortSegmentLabel(s)
		}
		return strconv.FormatUint(s.Frame, 10) + " " + Safe(words)
	case foldKind:
		words, _ := foldWords(row)
		return words
	}
	return ""
}
