// Package encode writes connections and calls as JSON as encoding/json would, without its
// reflection: a capture can hold hundreds of thousands of them. A test holds the two to be equal,
// field by field, so a field that analyze.Connection or analyze.Call gains fails it until it is
// written here. Characters that cannot be seen are escaped besides.
//
// What a result holds once is left to encoding/json, which takes 3 to 4 times as long for a
// connection (BenchmarkConnection).
package encode

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Encoder writes connections and calls. Its zero value is ready; it is not for use by several goroutines.
type Encoder struct {
	seconds [256]second // of what a capture has at hand at a time: TIME_WAIT reaches 60 s ahead

	// Spill, where it is set, is handed what is ready of a long list of segments, and returns where
	// to go on.
	Spill func([]byte) []byte

	// Brief leaves out the states and the segments of a connection: nine tenths of what it takes.
	Brief bool
}

// spillSize is how much of a connection is kept until it is spilled.
const spillSize = 64 << 10

// Connection appends c to b.
func (e *Encoder) Connection(b []byte, c *analyze.Connection) []byte {
	b = appendInt(append(b, `{"id":`...), int64(c.ID))
	if c.UID != "" {
		b = appendString(append(b, `,"uid":`...), c.UID)
	}
	if c.CommunityID != "" {
		b = appendString(append(b, `,"community_id":`...), c.CommunityID)
	}
	b = appendAddress(append(b, `,"client":`...), c.Client)
	b = appendAddress(append(b, `,"server":`...), c.Server)
	if c.Guessed {
		b = append(b, `,"guessed":true`...)
	}
	if c.Multipath {
		b = append(b, `,"mptcp":true`...)
	}
	b = e.time(append(b, `,"start":`...), c.Start)
	b = e.time(append(b, `,"end":`...), c.End)
	b = appendISN(b, c.ISN)
	b = appendUint(append(b, `,"first_frame":`...), c.FirstFrame)
	b = appendUint(append(b, `,"last_frame":`...), c.LastFrame)
	b = appendFirstFile(b, c)
	b = appendPerSide(append(b, `,"packets":`...), c.Packets)
	b = appendPerSide(append(b, `,"bytes":`...), c.Bytes)
	if c.Retransmits != (analyze.PerSide{}) {
		b = appendPerSide(append(b, `,"retransmits":`...), c.Retransmits)
	}
	b = appendWord(append(b, `,"ending":`...), string(c.Ending))
	b = appendWord(append(b, `,"closer":`...), string(c.Closer))
	if c.CloserSure != "" {
		b = appendWord(append(b, `,"closer_confidence":`...), string(c.CloserSure))
	}
	if c.FinBy != "" {
		b = appendWord(append(b, `,"fin_by":`...), string(c.FinBy))
	}
	if len(c.Candidates) > 0 {
		b = appendList(append(b, `,"candidates":`...), c.Candidates, appendPossible)
	}
	b = strconv.AppendBool(append(b, `,"simultaneous":`...), c.Simultaneous)
	b = appendWord(append(b, `,"confidence":`...), string(c.Confidence))
	if len(c.Why) > 0 {
		b = appendTexts(append(b, `,"why":`...), c.Why)
	}
	if len(c.LikelyCalls) > 0 {
		b = appendList(append(b, `,"likely_calls":`...), c.LikelyCalls, appendLikely)
	}
	b = e.ending(b, c)
	if !e.Brief {
		b = e.details(b, c)
	}
	b = appendCompat(append(b, `,"compat":`...), &c.Compat)
	if c.Explains != "" {
		b = appendString(append(b, `,"explains":`...), c.Explains)
	}
	b = appendTexts(append(b, `,"warnings":`...), c.Warnings)
	if c.Scenario != "" {
		b = appendString(append(b, `,"scenario":`...), c.Scenario)
	}
	return append(b, '}')
}

// ending writes the facts about the ending that a connection may lack.
func (e *Encoder) ending(b []byte, c *analyze.Connection) []byte {
	if h := c.HalfClose; h != nil {
		b = appendWord(append(b, `,"half_close":{"by":`...), string(h.By))
		b = appendInt(append(b, `,"ns":`...), h.NS)
		b = append(appendUint(append(b, `,"bytes":`...), h.Bytes), '}')
	}
	if s := c.Stall; s != nil {
		b = appendWord(append(b, `,"stall":{"by":`...), string(s.By))
		b = e.time(append(b, `,"since":`...), s.Since)
		b = appendInt(append(b, `,"ns":`...), s.NS)
		b = append(strconv.AppendBool(append(b, `,"ended":`...), s.Ended), '}')
	}
	if c.IdleClose != nil {
		b = appendIdleClose(append(b, `,"idle_close":`...), c.IdleClose)
	}
	if c.Relay != nil {
		b = appendRelay(append(b, `,"relay":`...), c.Relay)
	}
	if c.Transfer != nil {
		b = appendTransfer(append(b, `,"transfer":`...), c.Transfer)
	}
	if c.Remapped != nil {
		b = appendRemapped(append(b, `,"remapped":`...), c.Remapped)
	}
	if c.LastWords != nil {
		b = e.lastWords(append(b, `,"last_words":`...), c.LastWords)
	}
	if c.Reset != nil {
		b = appendReset(append(b, `,"reset":`...), c.Reset)
	}
	if c.Lost != nil {
		b = appendLost(append(b, `,"lost":`...), c.Lost)
	}
	if c.AlsoLost != nil {
		b = appendLost(append(b, `,"also_lost":`...), c.AlsoLost)
	}
	if c.InFlight != (analyze.PerSide{}) {
		b = appendPerSide(append(b, `,"in_flight":`...), c.InFlight)
	}
	if len(c.Vantages) > 0 {
		b = appendList(append(b, `,"vantages":`...), c.Vantages, appendVantage)
	}
	if c.Path != nil {
		b = appendPath(append(b, `,"path":`...), c.Path)
	}
	if len(c.TimeWait) > 0 {
		b = appendList(append(b, `,"time_wait":`...), c.TimeWait, e.timeWait)
	}
	return b
}

// details writes the states and the segments.
func (e *Encoder) details(b []byte, c *analyze.Connection) []byte {
	b = appendList(append(b, `,"states":{"client":`...), c.States.Client, e.stateChange)
	b = appendList(append(b, `,"server":`...), c.States.Server, e.stateChange)
	b = appendList(append(b, `},"segments":`...), c.Segments, func(b []byte, s *analyze.Segment) []byte {
		if len(b) > spillSize && e.Spill != nil {
			b = e.Spill(b)
		}
		return e.segment(b, s)
	})
	if c.Omitted != 0 {
		b = appendUint(append(b, `,"omitted":`...), c.Omitted)
	}
	return b
}

// appendISN writes the initial sequence numbers that are known.
func appendISN(b []byte, isn analyze.ISN) []byte {
	if isn == (analyze.ISN{}) {
		return b
	}
	b = append(b, `,"isn":{`...)
	if isn.Client != nil {
		b = appendUint(append(b, `"client":`...), uint64(*isn.Client))
	}
	if isn.Server != nil {
		if isn.Client != nil {
			b = append(b, ',')
		}
		b = appendUint(append(b, `"server":`...), uint64(*isn.Server))
	}
	return append(b, '}')
}

func (e *Encoder) segment(b []byte, s *analyze.Segment) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	b = appendUint(append(b, `{"frame":`...), s.Frame)
	b = e.time(append(b, `,"time":`...), s.Time)
	b = appendString(append(appendFrom(b, s.From), `,"flags":`...), s.FlagText)
	b = appendInt(append(b, `,"seq":`...), s.Seq)
	b = appendInt(append(b, `,"ack":`...), s.Ack)
	b = appendUint(append(b, `,"len":`...), uint64(s.Len))
	b = appendUint(append(b, `,"win":`...), uint64(s.Window))
	if s.DataFin {
		b = append(b, `,"data_fin":true`...)
	}
	b = appendWord(append(b, `,"kind":`...), string(s.Kind))
	b = appendUint(append(b, `,"retransmits":`...), s.Retransmits)
	b = appendRoot(append(b, `,"root":`...), &s.Root)
	b = appendUint(append(b, `,"answers":`...), s.Answers)
	if s.Ignored != "" {
		b = appendString(append(b, `,"ignored":`...), s.Ignored)
	}
	if s.Lost != "" {
		b = appendString(append(b, `,"lost":`...), s.Lost)
	}
	if len(s.Notes) > 0 {
		b = appendTexts(append(b, `,"notes":`...), s.Notes)
	}
	if len(s.Seen) > 0 {
		b = appendList(append(b, `,"seen":`...), s.Seen, appendSighting)
	}
	return append(b, '}')
}

func (e *Encoder) timeWait(b []byte, t analyze.TimeWait) []byte {
	b = appendWord(append(b, `{"holder":`...), string(t.Holder))
	b = e.time(append(b, `,"since":`...), t.Since)
	b = e.time(append(b, `,"until":`...), t.Until)
	if t.Assumed {
		b = append(b, `,"until_assumed":true`...)
	}
	b = appendConfidence(b, t.Confidence)
	b = appendList(append(b, `,"rearmed":`...), t.Rearmed, func(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) })
	b = appendString(append(b, `,"ended_by":`...), t.EndedBy)
	if t.EndFrame != 0 {
		b = appendUint(append(b, `,"end_frame":`...), t.EndFrame)
	}
	return append(b, '}')
}

func (e *Encoder) stateChange(b []byte, s analyze.StateChange) []byte {
	b = appendWord(append(b, `{"state":`...), s.State.String())
	b = appendUint(append(b, `,"frame":`...), s.Frame)
	b = e.time(append(b, `,"time":`...), s.Time)
	return append(appendConfidence(b, s.Confidence), '}')
}

// time writes t as event.Time does, reckoning each second once while it is at hand.
//
//go:noinline
func (e *Encoder) time(b []byte, t event.Time) []byte {
	if t <= 0 {
		return append(append(append(b, '"'), t.String()...), '"')
	}
	sec, ns := uint64(t)/1e9, uint32(uint64(t)%1e9) // dividing by constants is shorter without a sign, and in 32 bits
	at := &e.seconds[sec%uint64(len(e.seconds))]
	if at.sec != sec || at.text[0] == 0 {
		at.sec = sec
		time.Unix(int64(sec), 0).UTC().AppendFormat(at.text[:0], `"2006-01-02T15:04:05.`)
	}
	start := len(b)
	b = slices.Grow(b, 32)
	room := b[start : start+32]
	*(*[len(at.text)]byte)(room) = at.text
	putThree(room[21:], ns/1e6)
	putThree(room[24:], ns/1e3%1e3)
	putThree(room[27:], ns%1e3)
	room[30], room[31] = 'Z', '"'
	return b[:start+32]
}

// second is the text of a second up to its fraction.
type second struct {
	sec  uint64
	text [len(`"2006-01-02T15:04:05.`)]byte
}

func appendPossible(b []byte, p analyze.Possible) []byte {
	b = appendString(append(b, `{"claim":`...), p.Claim)
	b = appendString(append(b, `,"value":`...), p.Value)
	if p.Why != "" {
		b = appendString(append(b, `,"why":`...), p.Why)
	}
	return append(b, '}')
}

func appendReset(b []byte, r *analyze.Reset) []byte {
	b = appendWord(append(b, `{"by":`...), string(r.By))
	b = appendUint(append(b, `,"frame":`...), r.Frame)
	b = appendWord(append(b, `,"cause":`...), string(r.Cause))
	b = appendWord(append(b, `,"confidence":`...), string(r.Confidence))
	if r.Trigger != 0 {
		b = appendUint(append(b, `,"trigger":`...), r.Trigger)
	}
	if r.Call != 0 {
		b = appendInt(append(b, `,"call":`...), int64(r.Call))
	}
	if len(r.Why) > 0 {
		b = appendTexts(append(b, `,"why":`...), r.Why)
	}
	return append(appendLost(append(b, `,"lost":`...), &r.Lost), '}')
}

func appendLost(b []byte, l *analyze.Lost) []byte {
	b = appendUint(append(b, `{"unacked":`...), l.Unacked)
	b = appendUint(append(b, `,"unread":`...), l.Unread)
	b = appendUint(append(b, `,"after_close":`...), l.AfterClose)
	if l.Discarded != 0 {
		b = appendUint(append(b, `,"discarded":`...), l.Discarded)
	}
	if l.TLSAlerts != 0 {
		b = appendUint(append(b, `,"tls_alerts":`...), l.TLSAlerts)
	}
	if l.Closing != 0 {
		b = appendUint(append(b, `,"closing":`...), l.Closing)
	}
	if l.MayBe != 0 {
		b = appendUint(append(b, `,"may_be":`...), l.MayBe)
	}
	if l.Missing != 0 {
		b = appendUint(append(b, `,"missing":`...), l.Missing)
	}
	if l.From != "" {
		b = appendWord(append(b, `,"from":`...), string(l.From))
	}
	return append(b, '}')
}

func appendRoot(b []byte, r *analyze.Root) []byte {
	if r.Kind == analyze.RootUnknown && r.Call == 0 && r.Calls == nil && r.Frame == 0 && r.Timer == "" && r.Confidence == "" && r.Why == "" {
		return append(b, `{"kind":"unknown"}`...) // without calls, every segment's
	}
	b = appendWord(append(b, `{"kind":`...), string(r.Kind))
	if r.Call != 0 {
		b = appendInt(append(b, `,"call":`...), int64(r.Call))
	}
	if len(r.Calls) > 0 {
		b = appendList(append(b, `,"calls":`...), r.Calls, func(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) })
	}
	if r.Frame != 0 {
		b = appendUint(append(b, `,"frame":`...), r.Frame)
	}
	if r.Timer != "" {
		b = appendString(append(b, `,"timer":`...), r.Timer)
	}
	b = appendConfidence(b, r.Confidence)
	if r.Why != "" {
		b = appendString(append(b, `,"why":`...), r.Why)
	}
	return append(b, '}')
}

// appendConfidence appends a confidence, unless there is none: a known text goes in one piece.
func appendConfidence(b []byte, c analyze.Confidence) []byte {
	switch c {
	case "":
		return b
	case analyze.Observed:
		return append(b, `,"confidence":"observed"`...)
	case analyze.Inferred:
		return append(b, `,"confidence":"inferred"`...)
	}
	return appendWord(append(b, `,"confidence":`...), string(c))
}

func appendFrom(b []byte, s analyze.Side) []byte {
	switch s {
	case analyze.Client:
		return append(b, `,"from":"client"`...)
	case analyze.Server:
		return append(b, `,"from":"server"`...)
	}
	return appendWord(append(b, `,"from":`...), string(s))
}

func appendLikely(b []byte, l analyze.LikelyCall) []byte {
	b = appendWord(append(b, `{"side":`...), string(l.Side))
	b = appendString(append(b, `,"call":`...), l.Call)
	b = appendString(append(b, `,"why":`...), l.Why)
	return append(appendUint(append(b, `,"frame":`...), l.Frame), '}')
}

func appendCompat(b []byte, c *analyze.Compat) []byte {
	b = appendString(append(b, `{"zeek_conn_state":`...), c.ZeekConnState)
	b = appendString(append(b, `,"zeek_history":`...), c.ZeekHistory)
	b = appendInt(append(b, `,"wireshark_completeness":`...), int64(c.Completeness))
	return append(appendString(append(b, `,"tcptrace":`...), c.Tcptrace), '}')
}

//go:noinline
func appendPerSide(b []byte, p analyze.PerSide) []byte {
	b = appendUint(append(b, `{"client":`...), p.Client)
	return append(appendUint(append(b, `,"server":`...), p.Server), '}')
}

func appendAddress(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() || a.Addr().Zone() != "" {
		s, _ := a.MarshalText() // never fails
		return appendString(b, string(s))
	}
	return append(a.AppendTo(append(b, '"')), '"')
}
