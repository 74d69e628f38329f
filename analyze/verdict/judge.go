// Package verdict says what became of a connection: how it ended, who ended it, why it was reset
// and what was lost, each with the frames that show it.
//
// It goes by what tcp knows of the one connection; calls and the kernel's word are join's.
package verdict

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

const (
	// silentTries is how many unanswered retransmissions or keep-alives make an end silent.
	silentTries = 2
	// patience is how long an answer may take before its absence means something.
	patience = time.Second
)

// verdict is the ending with what supports it.
type verdict struct {
	ending     analyze.Ending
	closer     analyze.Side
	closerSure analyze.Confidence
	first      tcp.End      // who closed first, when closer is one end
	finBy      analyze.Side // whose FIN was not answered, of half-closed and fin-unacked
	confidence analyze.Confidence
	candidates []analyze.Possible
	why        reasons
}

// withhold says that the ending is not known.
func (v *verdict) withhold() {
	v.ending, v.closer, v.finBy, v.confidence = analyze.UnknownEnding, analyze.NoSide, analyze.NoSide, analyze.Unknown
}

func (v *verdict) because(format string, args ...any) { v.why.add(format, args...) }

// sent gives as a reason that a frame is a FIN or RST of an end.
func (v *verdict) sent(frame uint64, what string, by analyze.Side) {
	b := append(v.why.text, "frame "...)
	b = append(strconv.AppendUint(b, frame, 10), ": "...)
	b = append(append(b, what...), " of the "...)
	v.why.end(append(b, by...))
}

// reasons are texts that stand one behind the other, so that those of a connection take one
// allocation. The zero value is empty.
type reasons struct {
	text []byte
	ends []int
}

func (r *reasons) add(format string, args ...any) { r.end(fmt.Appendf(r.text, format, args...)) }

// end takes over text, to which one reason was added.
func (r *reasons) end(text []byte) { r.text, r.ends = text, append(r.ends, len(text)) }

// list appends the reasons to out.
func (r *reasons) list(out []string, memory *texts) []string {
	text, from := memory.keep(r.text), 0
	for _, to := range r.ends {
		out = append(out, text[from:to])
		from = to
	}
	return out
}

// judged is a connection that is being judged, at a time.
type judged struct {
	*tcp.Flow
	now event.Time
}

// Judge turns what was followed of connections into Connections. The zero value gives each
// Connection memory of its own.
type Judge struct {
	scratch *scratch // where every Connection is written, when not nil
}

// NewJudges returns n judges, for one goroutine, whose Connections are each valid only until the same judge's next one.
func NewJudges(n int) []Judge {
	judges, shared := make([]Judge, n), new(texts)
	for i := range judges {
		judges[i].scratch = newScratch()
		judges[i].scratch.texts = shared
	}
	return judges
}

// Keep returns b as a string that is valid for longer than the Connections.
func (j *Judge) Keep(b []byte) string {
	if j.scratch == nil {
		return string(b)
	}
	return j.scratch.texts.keep(b)
}

// Connection says what became of fl, as it is known now.
func (j *Judge) Connection(fl *tcp.Flow, now event.Time) *analyze.Connection {
	fl.Conclude(now)
	sc := j.scratch
	if sc == nil {
		sc = newScratch()
	}
	jd := judged{fl, now}
	v := &sc.verdict
	*v = verdict{why: reasons{v.why.text[:0], v.why.ends[:0]}, candidates: v.candidates[:0]}
	jd.ending(v)
	jd.settleCloser(v)
	if v.ending == analyze.Graceful {
		fl.CompleteClose(now)
	}
	if fl.Warnings&tcp.WarnEvicted != 0 && v.confidence == analyze.Observed {
		v.confidence = analyze.Inferred
	}
	sc.why = v.why.list(slices.Grow(sc.why[:0], len(v.why.ends)), sc.texts)
	c := &sc.connection
	*c = analyze.Connection{
		ID: fl.ID, Client: fl.Addr[tcp.Client], Server: fl.Addr[tcp.Server], Guessed: fl.Guessed, Multipath: fl.Multipath,
		Start: fl.Start, End: fl.Last, FirstFrame: fl.FirstFrame, LastFrame: fl.LastFrame,
		Packets:     analyze.PerSide{Client: uint64(fl.Dir[tcp.Client].Packets), Server: uint64(fl.Dir[tcp.Server].Packets)},
		Bytes:       analyze.PerSide{Client: fl.Dir[tcp.Client].Bytes, Server: fl.Dir[tcp.Server].Bytes},
		Retransmits: analyze.PerSide{Client: uint64(fl.Dir[tcp.Client].Retransmits), Server: uint64(fl.Dir[tcp.Server].Retransmits)},
		Ending:      v.ending, Closer: v.closer, CloserSure: v.closerSure, Simultaneous: v.closer == analyze.Both,
		FinBy: v.finBy, Confidence: v.confidence, Why: sc.why,
		Omitted: fl.Omitted, Warnings: []string{},
	}
	if r := fl.Remapped; r != nil {
		c.Remapped = &analyze.Remapped{Address: r.Addr, Frame: r.Frame, Earlier: r.Earlier}
	}
	c.ISN = jd.isn(&sc.isn)
	c.HalfClose = jd.halfClose(&sc.halfClose, v)
	c.Stall = jd.stall(&sc.stall)
	if fl.Reset.Frame != 0 && (v.ending == analyze.WasReset || v.ending == analyze.WasRefused || v.ending == analyze.UnknownEnding) {
		c.Reset = jd.judgeReset(v)
	}
	c.IdleClose = jd.idleClose(&sc.idleClose, c.Reset)
	c.Candidates, c.Whole = v.candidates, fl.IsWhole()
	jd.losses(c)
	jd.ledger(sc)
	jd.listStates(sc)
	jd.listSegments(sc)
	jd.noteLosses(c)
	jd.likelyCalls(sc)
	jd.warnings(c)
	c.Explains = analyze.Topic(c)
	return c
}

// isn returns the initial sequence numbers that were captured, which it keeps in room.
func (fl judged) isn(room *[2]uint32) (isn analyze.ISN) {
	var ok bool
	if room[tcp.Client], ok = fl.Dir[tcp.Client].ISN(); ok {
		isn.Client = &room[tcp.Client]
	}
	if room[tcp.Server], ok = fl.Dir[tcp.Server].ISN(); ok {
		isn.Server = &room[tcp.Server]
	}
	return isn
}
