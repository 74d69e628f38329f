package main

import (
	"github.com/parquet-go/parquet-go"
	"io"

	"github.com/closecap/closecap/analyze"
)

// row is a connection in Parquet: the fields of the JSON under their names, so that a query of one is a
// query of the other. What the JSON leaves out is null. Times are nanoseconds, UTC.
type row struct {
	ID               int64       `parquet:"id"`
	UID              string      `parquet:"uid,optional"`
	CommunityID      string      `parquet:"community_id,optional"`
	Client           string      `parquet:"client"`
	Server           string      `parquet:"server,dict"`
	Guessed          *bool       `parquet:"guessed,optional"`
	Start            int64       `parquet:"start,timestamp(nanosecond:local)"`
	End              int64       `parquet:"end,timestamp(nanosecond:local)"`
	ISN              *isn        `parquet:"isn,optional"`
	FirstFrame       uint64      `parquet:"first_frame"`
	LastFrame        uint64      `parquet:"last_frame"`
	FirstFile        string      `parquet:"first_file,optional,dict"`
	FirstFileFrame   *uint64     `parquet:"first_file_frame,optional"`
	Packets          perSide     `parquet:"packets"`
	Bytes            perSide     `parquet:"bytes"`
	Retransmits      *perSide    `parquet:"retransmits,optional"`
	Ending           string      `parquet:"ending,dict"`
	Closer           string      `parquet:"closer,dict"`
	CloserConfidence string      `parquet:"closer_confidence,optional,dict"`
	FinBy            string      `parquet:"fin_by,optional,dict"`
	Candidates       []candidate `parquet:"candidates,list"`
	Simultaneous     bool        `parquet:"simultaneous"`
	Confidence       string      `parquet:"confidence,dict"`
	Why              []string    `parquet:"why,list"`
	HalfClose        *halfClose  `parquet:"half_close,optional"`
	Stall            *stall      `parquet:"stall,optional"`
	IdleClose        *idleClose  `parquet:"idle_close,optional"`
	Reset            *reset      `parquet:"reset,optional"`
	Lost             *lost       `parquet:"lost,optional"`
	AlsoLost         *lost       `parquet:"also_lost,optional"`
	InFlight         *perSide    `parquet:"in_flight,optional"`
	Vantages         []vantage   `parquet:"vantages,list"`
	TimeWait         []timeWait  `parquet:"time_wait,list"`
	States           *states     `parquet:"states,optional"`
	Segments         []segment   `parquet:"segments,list"`
	Omitted          *uint64     `parquet:"omitted,optional"`
	Compat           compat      `parquet:"compat"`
	Explains         string      `parquet:"explains,optional,dict"`
	Warnings         []string    `parquet:"warnings,list"`
}

type isn struct {
	Client *uint32 `parquet:"client,optional"`
	Server *uint32 `parquet:"server,optional"`
}

type perSide struct {
	Client uint64 `parquet:"client"`
	Server uint64 `parquet:"server"`
}

type candidate struct {
	Claim string `parquet:"claim,dict"`
	Value string `parquet:"value,dict"`
	Why   string `parquet:"why,optional"`
}

type halfClose struct {
	By    string `parquet:"by,dict"`
	NS    int64  `parquet:"ns"`
	Bytes uint64 `parquet:"bytes"`
}

type stall struct {
	By    string `parquet:"by,dict"`
	Since int64  `parquet:"since,timestamp(nanosecond:local)"`
	NS    int64  `parquet:"ns"`
	Ended bool   `parquet:"ended"`
}

type idleClose struct {
	By      string  `parquet:"by,dict"`
	Fin     uint64  `parquet:"fin"`
	Request uint64  `parquet:"request"`
	Margin  int64   `parquet:"margin_ns"`
	Idle    perSide `parquet:"idle_ns"`
	Crossed bool    `parquet:"crossed"`
}

type reset struct {
	By         string   `parquet:"by,dict"`
	Frame      uint64   `parquet:"frame"`
	Cause      string   `parquet:"cause,dict"`
	Confidence string   `parquet:"confidence,dict"`
	Trigger    *uint64  `parquet:"trigger,optional"`
	Why        []string `parquet:"why,list"`
	Lost       lost     `parquet:"lost"`
}

type lost struct {
	Unacked    uint64  `parquet:"unacked"`
	Unread     uint64  `parquet:"unread"`
	AfterClose uint64  `parquet:"after_close"`
	Discarded  *uint64 `parquet:"discarded,optional"`
	TLSAlerts  *uint64 `parquet:"tls_alerts,optional"`
	MayBe      *uint64 `parquet:"may_be,optional"`
	Missing    *uint64 `parquet:"missing,optional"`
	From       string  `parquet:"from,optional,dict"`
}

type vantage struct {
	Point   string  `parquet:"point,dict"`
	Client  string  `parquet:"client"`
	Server  string  `parquet:"server,dict"`
	Packets perSide `parquet:"packets"`
	Ahead   *int64  `parquet:"clock_ahead_ns,optional"`
}

type timeWait struct {
	Holder     string   `parquet:"holder,dict"`
	Since      int64    `parquet:"since,timestamp(nanosecond:local)"`
	Until      int64    `parquet:"until,timestamp(nanosecond:local)"`
	Assumed    *bool    `parquet:"until_assumed,optional"`
	Confidence string   `parquet:"confidence,optional,dict"`
	Rearmed    []uint64 `parquet:"rearmed,list"`
	EndedBy    string   `parquet:"ended_by,dict"`
	EndFrame   *uint64  `parquet:"end_frame,optional"`
}

type states struct {
	Client []state `parquet:"client,list"`
	Server []state `parquet:"server,list"`
}

type state struct {
	State      string `parquet:"state,dict"`
	Frame      uint64 `parquet:"frame"`
	Time       int64  `parquet:"time,timestamp(nanosecond:local)"`
	Confidence string `parquet:"confidence,optional,dict"`
}

type segment struct {
	Frame       uint64   `parquet:"frame"`
	Time        int64    `parquet:"time,timestamp(nanosecond:local)"`
	From        string   `parquet:"from,dict"`
	Flags       string   `parquet:"flags,dict"`
	Seq         int64    `parquet:"seq"`
	Ack         int64    `parquet:"ack"`
	Len         uint32   `parquet:"len"`
	Win         uint32   `parquet:"win"`
	Kind        string   `parquet:"kind,dict"`
	Retransmits uint64   `parquet:"retransmits"`
	Answers     uint64   `parquet:"answers"`
	Ignored     string   `parquet:"ignored,optional,dict"`
	Lost        string   `parquet:"lost,optional,dict"`
	Notes       []string `parquet:"notes,list"`
}

type compat struct {
	ZeekConnState string `parquet:"zeek_conn_state,dict"`
	ZeekHistory   string `parquet:"zeek_history,dict"`
	Completeness  int64  `parquet:"wireshark_completeness"`
	Tcptrace      string `parquet:"tcptrace,dict"`
}

// groupRows is how many rows are written together: what their columns take in memory.
const groupRows = 1 << 16

func newParquetWriter(w io.Writer) *parquet.GenericWriter[row] {
	return parquet.NewGenericWriter[row](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows),
		parquet.CreatedBy("closecap-fleet", linked, ""))
}

// rowOf returns c as a row, brief or not.
func rowOf(c *analyze.Connection, brief bool) row {
	r := row{
		ID: int64(c.ID), UID: c.UID, CommunityID: c.CommunityID,
		Client: c.Client.String(), Server: c.Server.String(), Guessed: orNull(c.Guessed),
		Start: int64(c.Start), End: int64(c.End), FirstFrame: c.FirstFrame, LastFrame: c.LastFrame,
		FirstFile: c.FirstFile, FirstFileFrame: orNull(c.FirstFileFrame),
		Packets: perSide(c.Packets), Bytes: perSide(c.Bytes), Retransmits: sides(c.Retransmits), InFlight: sides(c.InFlight),
		Ending: string(c.Ending), Closer: string(c.Closer), CloserConfidence: string(c.CloserSure), FinBy: string(c.FinBy),
		Simultaneous: c.Simultaneous, Confidence: string(c.Confidence), Why: c.Why,
		Omitted: orNull(c.Omitted), Compat: compat{c.Compat.ZeekConnState, c.Compat.ZeekHistory, int64(c.Compat.Completeness), string(c.Compat.Tcptrace)},
		Explains: c.Explains, Warnings: c.Warnings,
	}
	if c.ISN != (analyze.ISN{}) {
		r.ISN = &isn{c.ISN.Client, c.ISN.Server}
	}
	for _, p := range c.Candidates {
		r.Candidates = append(r.Candidates, candidate{p.Claim, p.Value, p.Why})
	}
	if h := c.HalfClose; h != nil {
		r.HalfClose = &halfClose{string(h.By), h.NS, h.Bytes}
	}
	if s := c.Stall; s != nil {
		r.Stall = &stall{string(s.By), int64(s.Since), s.NS, s.Ended}
	}
	if i := c.IdleClose; i != nil {
		r.IdleClose = &idleClose{string(i.By), i.Fin, i.Request, i.MarginNS, perSide(i.IdleNS), i.Crossed}
	}
	if x := c.Reset; x != nil {
		r.Reset = &reset{string(x.By), x.Frame, string(x.Cause), string(x.Confidence), orNull(x.Trigger), x.Why, lostOf(&x.Lost)}
	}
	if c.Lost != nil {
		l := lostOf(c.Lost)
		r.Lost = &l
	}
	if c.AlsoLost != nil {
		l := lostOf(c.AlsoLost)
		r.AlsoLost = &l
	}
	for _, v := range c.Vantages {
		r.Vantages = append(r.Vantages, vantage{v.Point, v.Client.String(), v.Server.String(), perSide(v.Packets), v.ClockAhead})
	}
	for _, t := range c.TimeWait {
		r.TimeWait = append(r.TimeWait, timeWait{string(t.Holder), int64(t.Since), int64(t.Until), orNull(t.Assumed), string(t.Confidence), t.Rearmed, t.EndedBy, orNull(t.EndFrame)})
	}
	if !brief {
		r.history(c)
	}
	return r
}

// history adds states and segments.
func (r *row) history(c *analyze.Connection) {
	if len(c.States.Client)+len(c.States.Server)+len(c.Segments) == 0 {
		return // a brief line of NDJSON
	}
	r.States = &states{statesOf(c.States.Client), statesOf(c.States.Server)}
	for _, s := range c.Segments {
		r.Segments = append(r.Segments, segment{
			s.Frame, int64(s.Time), string(s.From), s.FlagText, s.Seq, s.Ack, s.Len, uint32(s.Window), string(s.Kind),
			s.Retransmits, s.Answers, s.Ignored, s.Lost, s.Notes,
		})
	}
}

func statesOf(all []analyze.StateChange) (out []state) {
	for _, s := range all {
		out = append(out, state{s.State.String(), s.Frame, int64(s.Time), string(s.Confidence)})
	}
	return out
}

func lostOf(l *analyze.Lost) lost {
	return lost{l.Unacked, l.Unread, l.AfterClose, orNull(l.Discarded), orNull(l.TLSAlerts), orNull(l.MayBe), orNull(l.Missing), string(l.From)}
}

// orNull returns nil for what the JSON leaves out.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func sides(p analyze.PerSide) *perSide {
	if p == (analyze.PerSide{}) {
		return nil
	}
	return &perSide{p.Client, p.Server}
}
