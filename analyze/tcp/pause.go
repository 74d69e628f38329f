package tcp

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Pause is the newest time in which neither end sent payload, as long as the end that ended it is the only one
// that has sent any since: a request after a response, or what an end says unasked.
type Pause struct {
	From, To event.Time // the payload before it and behind it; 0 where there was none
	Goodbye  event.Time // when the end that spoke before it spoke again; 0 where that did not
	Frame    uint64     // the payload that ended it
	Len      uint32     // of that
	Before   End        // who had spoken last
	After    End        // who spoke then
	Alert    bool       // it was a TLS alert
}

// shortPause is up to what time without payload is none: an end that answers takes longer, one that goes on
// does not.
const shortPause = time.Millisecond

// speak notes new payload of e. What the other end sends behind its first payload after a close ends no pause.
func (fl *Flow) speak(e End, s *event.Segment) {
	last, by := fl.spoke, fl.spokeBy
	fl.spoke, fl.spokeBy = s.Time, e
	switch {
	case last != 0 && s.Time.Sub(last) > shortPause:
		if fl.HasCloser && fl.Pause.To != 0 && fl.Pause.After != fl.Closer {
			return
		}
		p := Pause{From: last, To: s.Time, Frame: s.Frame, Len: s.Len, Before: by, After: e, Alert: s.Options.TLSAlert}
		if o := &fl.Pause; o.To != 0 && o.Before == o.After && o.Before == by && e != by {
			p.From, p.Goodbye = o.From, o.To
		}
		fl.Pause = p
	case fl.Pause.To != 0 && e != fl.Pause.After && !fl.HasCloser:
		fl.Pause = Pause{}
	}
}
