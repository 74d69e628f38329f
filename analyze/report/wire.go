package report

import (
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// wireEvent writes a segment as the table shows it: "6 → FIN,ACK 13:13".
func wireEvent(s *analyze.Segment) line {
	l := line{text: fmt.Sprintf("%d %s %s", s.Frame, arrow(s.From), segmentWords(s)), style: segmentStyle(s)}
	l.hang = len(fmt.Sprint(s.Frame)) + 3
	return l
}

func segmentStyle(s *analyze.Segment) style {
	switch {
	case s.Flags.Has(event.RST):
		return bad
	case s.Ignored != "" || s.Retransmits != 0:
		return warn
	case s.Flags.Has(event.FIN), s.DataFin:
		return bold
	}
	return plain
}

// segmentWords says what a segment is, what it answers or repeats, and what is odd about it.
func segmentWords(s *analyze.Segment) string {
	name, notes := segmentName(s), segmentRemarks(s)
	if notes == "" {
		return name
	}
	return name + " " + notes
}

// segmentNotes says what flags and numbers alone do not.
func segmentNotes(s *analyze.Segment) string {
	var kind string
	switch s.Kind {
	case analyze.KindKeepalive, analyze.KindWindowProbe, analyze.KindChallenge:
		kind = segmentName(s)
	case analyze.KindWindow:
		kind = fmt.Sprintf("window %d", s.Window)
	}
	if s.DataFin {
		kind = "DATA_FIN"
	}
	return strings.TrimSpace(kind + " " + segmentRemarks(s))
}

func segmentRemarks(s *analyze.Segment) string {
	var w []string
	switch {
	case s.Retransmits != 0:
		w = append(w, together(fmt.Sprintf("repeats %d", s.Retransmits)))
	case s.Kind == analyze.KindAck && s.Answers != 0 && !s.DataFin:
		w = append(w, together(fmt.Sprintf("of %d", s.Answers)))
	case (s.Kind == analyze.KindRst || s.Kind == analyze.KindChallenge) && s.Answers != 0:
		w = append(w, together(fmt.Sprintf("answers %d", s.Answers)))
	}
	if s.Ignored != "" {
		if len(w) > 0 {
			w[0] += ";"
		}
		w = append(w, "ignored: "+Safe(s.Ignored))
	}
	for _, n := range s.Notes {
		w = append(w, "("+Safe(n)+")")
	}
	return strings.Join(w, " ")
}

func segmentName(s *analyze.Segment) string {
	switch s.Kind {
	case analyze.KindKeepalive:
		return "keep-alive"
	case analyze.KindWindowProbe:
		return "window probe"
	case analyze.KindWindow:
		return fmt.Sprintf("%s window %d", s.Flags.Words(), s.Window)
	case analyze.KindChallenge:
		return "challenge ACK"
	}
	switch {
	case s.DataFin && s.Len == 0:
		return "DATA_FIN"
	case s.DataFin:
		return fmt.Sprintf("DATA_FIN + %s %s", count(uint64(s.Len), "byte"), seqRange(s))
	case s.Flags.Has(event.FIN):
		if s.Len > 0 {
			return fmt.Sprintf("%s + %s %s", s.Flags.Words(), count(uint64(s.Len), "byte"), seqRange(s))
		}
		return s.Flags.Words() + " " + seqRange(s)
	case s.Len > 0 && s.Flags&(event.SYN|event.RST) == 0:
		return count(uint64(s.Len), "byte") + " " + seqRange(s)
	case s.Len > 0:
		return fmt.Sprintf("%s + %s", s.Flags.Words(), count(uint64(s.Len), "byte"))
	}
	return s.Flags.Words()
}

// seqRange writes the stream range of a segment's payload as tcpdump does: [from, to).
func seqRange(s *analyze.Segment) string {
	return fmt.Sprintf("%d:%d", s.Seq, s.Seq+int64(s.Len))
}
