package verdict

import (
	"strings"

	"github.com/closecap/closecap/analyze"
)

// scratch is the memory of one Connection.
type scratch struct {
	connection  analyze.Connection
	changes     []analyze.StateChange
	segments    []analyze.Segment
	listed      []*analyze.Segment
	timeWait    []analyze.TimeWait
	likelyCalls []analyze.LikelyCall
	halfClose   analyze.HalfClose
	isn         [2]uint32
	stall       analyze.Stall
	idleClose   analyze.IdleClose
	why         []string
	verdict     verdict
	texts       *texts // nil gives each text memory of its own
}

func newScratch() *scratch {
	return &scratch{changes: []analyze.StateChange{}, listed: []*analyze.Segment{}, likelyCalls: []analyze.LikelyCall{}}
}

// texts makes strings that share memory, some hundred to an allocation. It suits those that soon
// go together: one of them keeps all.
type texts struct{ all strings.Builder }

const textsSize = 16 << 10

// keep returns b as a string. A nil t gives it memory of its own.
func (t *texts) keep(b []byte) string {
	if t == nil {
		return string(b)
	}
	if t.all.Cap()-t.all.Len() < len(b) {
		t.all.Reset()
		t.all.Grow(max(textsSize, len(b)))
	}
	at := t.all.Len()
	t.all.Write(b)
	return t.all.String()[at:]
}
