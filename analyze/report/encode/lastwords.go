package encode

import (
	"strconv"

	"github.com/closecap/closecap/analyze"
)

func (e *Encoder) lastWords(b []byte, l *analyze.LastWords) []byte {
	from := len(b)
	if l.Client != nil {
		b = e.words(append(b, `,"client":`...), l.Client)
	}
	if l.Server != nil {
		b = e.words(append(b, `,"server":`...), l.Server)
	}
	if l.Reason != "" {
		b = appendString(append(b, `,"reason":`...), l.Reason)
	}
	if l.Confidence != "" {
		b = appendWord(append(b, `,"reason_confidence":`...), string(l.Confidence))
	}
	if l.Kind != "" {
		b = appendWord(append(b, `,"reason_kind":`...), string(l.Kind))
	}
	if l.Said != "" {
		b = appendString(append(b, `,"said":`...), l.Said)
	}
	if l.IdleNS != 0 {
		b = appendInt(append(b, `,"idle_ns":`...), l.IdleNS)
	}
	if l.Outstanding != 0 {
		b = appendUint(append(b, `,"outstanding":`...), l.Outstanding)
	}
	if len(b) == from {
		b = append(b, ',')
	}
	b[from] = '{' // in place of the first comma
	return append(b, '}')
}

func (e *Encoder) words(b []byte, w *analyze.Words) []byte {
	b = appendUint(append(b, `{"frame":`...), w.Frame)
	if w.Time != 0 {
		b = e.time(append(b, `,"time":`...), w.Time)
	}
	if w.Protocol != "" {
		b = appendString(append(b, `,"protocol":`...), w.Protocol)
	}
	if w.Meaning != "" {
		b = appendString(append(b, `,"meaning":`...), w.Meaning)
	}
	b = appendConfidence(b, w.Confidence)
	if w.Tells {
		b = append(b, `,"tells":true`...)
	}
	if w.Text != "" {
		b = appendString(append(b, `,"text":`...), w.Text)
	}
	b = strconv.AppendBool(append(b, `,"acknowledged":`...), w.Acknowledged)
	if w.Closing != 0 {
		b = appendUint(append(b, `,"closing":`...), w.Closing)
	}
	return append(b, '}')
}
