package report

import (
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// listColumn is a column of the list of connections: what CSV, the table, Markdown and the page
// show of each. JSON needs none, it holds the whole connection.
type listColumn struct {
	csv   string                           // its name in CSV; "" is not in it
	bare  bareValue                        // what stands in it, or
	value func(*analyze.Connection) string // where that may need quotes

	table tableColumn // in the table and in Markdown
	page  pagePlace
}

// tableColumn is where a column of the table stands and how it looks.
type tableColumn struct {
	at    int    // from the left, 0 is nowhere; only the order counts
	from  layout // the widest layout that has it
	to    layout // the narrowest
	title string
	right bool
	min   int                            // as column.min
	line  func(*analyze.Connection) line // nil is bare or value as it is
}

// pagePlace is where a column of the page's list stands, under the title that it has in the
// table. What is shown is also what it is sorted by, unless words says otherwise.
type pagePlace struct {
	at    int                                              // as tableColumn.at
	key   string                                           // by which the script knows it
	class string                                           // CSS classes of its cells; "wide" leaves the column out of a narrow window
	sort  func(c *analyze.Connection, base event.Time) any // a number or a text; nil is value as it is
	words func(*analyze.Connection) string
	style func(*analyze.Connection) style // of the words
}

// layout is how much the table's list has room for.
type layout uint8

const (
	whole      layout = iota
	joinEnding        // closer and cause stand with the ending
	joinEnds          // both addresses in one column, too
	lean              // neither start nor half-close
	bare              // no bytes either, lost ones stand with the ending
)

// listColumns are in the order of CSV, where new ones go to the end: a new column is a row here.
var listColumns = []listColumn{
	{csv: "id", bare: number(func(c *analyze.Connection) uint64 { return uint64(c.ID) }),
		table: tableColumn{at: 10, to: bare, title: "#", right: true},
		page:  pagePlace{at: 10, key: "id", class: "number", sort: func(c *analyze.Connection, _ event.Time) any { return c.ID }}},
	{csv: "client", bare: func(b []byte, c *analyze.Connection) []byte { return appendAddress(b, c.Client) },
		table: tableColumn{at: 20, to: joinEnding, title: "client"},
		page:  pagePlace{at: 60, key: "client"}},
	{csv: "server", bare: func(b []byte, c *analyze.Connection) []byte { return appendAddress(b, c.Server) },
		table: tableColumn{at: 30, to: joinEnding, title: "server"},
		page:  pagePlace{at: 70, key: "server"}},
	{csv: "guessed", bare: func(b []byte, c *analyze.Connection) []byte { return strconv.AppendBool(b, c.Guessed) }},
	{csv: "start", bare: func(b []byte, c *analyze.Connection) []byte { return c.Start.AppendTo(b) },
		table: tableColumn{at: 40, to: joinEnds, title: "start (UTC)", line: func(c *analyze.Connection) line { return line{text: timeOfDay(c)} }},
		page: pagePlace{at: 80, key: "at", class: "wide", words: timeOfDay,
			sort: func(c *analyze.Connection, base event.Time) any { return int64(c.Start - base) }}},
	{csv: "end", bare: func(b []byte, c *analyze.Connection) []byte { return c.End.AppendTo(b) }},
	{csv: "first_frame", bare: number(func(c *analyze.Connection) uint64 { return c.FirstFrame })},
	{csv: "last_frame", bare: number(func(c *analyze.Connection) uint64 { return c.LastFrame })},
	{csv: "client_packets", bare: number(func(c *analyze.Connection) uint64 { return c.Packets.Client })},
	{csv: "server_packets", bare: number(func(c *analyze.Connection) uint64 { return c.Packets.Server })},
	{csv: "client_bytes", bare: number(func(c *analyze.Connection) uint64 { return c.Bytes.Client }),
		table: tableColumn{at: 60, to: lean, title: "bytes →", right: true, line: func(c *analyze.Connection) line { return line{text: grouped(c.Bytes.Client)} }},
		page: pagePlace{at: 100, key: "up", class: "wide number", words: func(c *analyze.Connection) string { return grouped(c.Bytes.Client) },
			sort: func(c *analyze.Connection, _ event.Time) any { return c.Bytes.Client }}},
	{csv: "server_bytes", bare: number(func(c *analyze.Connection) uint64 { return c.Bytes.Server }),
		table: tableColumn{at: 70, to: lean, title: "bytes ←", right: true, line: func(c *analyze.Connection) line { return line{text: grouped(c.Bytes.Server)} }},
		page: pagePlace{at: 110, key: "down", class: "wide number", words: func(c *analyze.Connection) string { return grouped(c.Bytes.Server) },
			sort: func(c *analyze.Connection, _ event.Time) any { return c.Bytes.Server }}},
	{csv: "client_retransmits", bare: number(func(c *analyze.Connection) uint64 { return c.Retransmits.Client })},
	{csv: "server_retransmits", bare: number(func(c *analyze.Connection) uint64 { return c.Retransmits.Server })},
	{csv: "ending", value: func(c *analyze.Connection) string { return string(c.Ending) },
		table: tableColumn{at: 80, title: "ending", line: func(c *analyze.Connection) line { return line{text: endingWords(c), style: endingStyle(c.Ending)} }},
		page:  pagePlace{at: 20, key: "ending", class: "folds", words: endingWords, style: func(c *analyze.Connection) style { return endingStyle(c.Ending) }}},
	{csv: "closer", value: func(c *analyze.Connection) string { return string(c.Closer) },
		table: tableColumn{at: 90, title: "first closer", line: func(c *analyze.Connection) line { return line{text: closerWords(c)} }},
		page:  pagePlace{at: 30, key: "closer", sort: func(c *analyze.Connection, _ event.Time) any { return Safe(closerWords(c)) }}},
	{csv: "simultaneous", bare: func(b []byte, c *analyze.Connection) []byte { return strconv.AppendBool(b, c.Simultaneous) }},
	{csv: "confidence", value: func(c *analyze.Connection) string { return string(c.Confidence) }},
	{csv: "half_close_by", value: ofHalfClose(func(h *analyze.HalfClose) string { return string(h.By) })},
	{csv: "half_close_ns", value: ofHalfClose(func(h *analyze.HalfClose) string { return strconv.FormatInt(h.NS, 10) }),
		table: tableColumn{at: 110, to: joinEnds, title: "half-close", right: true, line: func(c *analyze.Connection) line { return line{text: halfCloseSpan(c)} }},
		page: pagePlace{at: 120, key: "halfNS", class: "wide number", words: halfCloseSpan,
			sort: func(c *analyze.Connection, _ event.Time) any {
				if c.HalfClose == nil {
					return 0
				}
				return c.HalfClose.NS
			}}},
	{csv: "half_close_bytes", value: ofHalfClose(func(h *analyze.HalfClose) string { return decimal(h.Bytes) })},
	{csv: "reset_by", value: ofReset(func(r *analyze.Reset) string { return string(r.By) })},
	{csv: "reset_frame", value: ofReset(func(r *analyze.Reset) string { return decimal(r.Frame) })},
	{csv: "reset_cause", value: ofReset(func(r *analyze.Reset) string { return string(r.Cause) }),
		table: tableColumn{at: 100, title: "reset cause", line: func(c *analyze.Connection) line { return line{text: resetCauseWords(c)} }},
		page:  pagePlace{at: 40, key: "cause", class: "folds", words: resetCauseWords}},
	{csv: "reset_confidence", value: ofReset(func(r *analyze.Reset) string { return string(r.Confidence) })},
	{csv: "reset_trigger", value: ofReset(func(r *analyze.Reset) string { return frameOrNone(r.Trigger) })},
	{csv: "lost_unacked", value: ofLost(func(l analyze.Lost) uint64 { return l.Unacked })},
	{csv: "lost_unread", value: ofLost(func(l analyze.Lost) uint64 { return l.Unread })},
	{csv: "lost_after_close", value: ofLost(func(l analyze.Lost) uint64 { return l.AfterClose })},
	{csv: "lost_discarded", value: ofLost(func(l analyze.Lost) uint64 { return l.Discarded })},
	{csv: "time_wait", value: func(c *analyze.Connection) string {
		var holders []string
		for _, t := range c.TimeWait {
			holders = append(holders, string(t.Holder))
		}
		return strings.Join(holders, " ")
	}},
	{csv: "zeek_conn_state", value: func(c *analyze.Connection) string { return c.Compat.ZeekConnState }},
	{csv: "zeek_history", value: func(c *analyze.Connection) string { return c.Compat.ZeekHistory }},
	{csv: "wireshark_completeness", bare: number(func(c *analyze.Connection) uint64 { return uint64(c.Compat.Completeness) })},
	{csv: "tcptrace", value: func(c *analyze.Connection) string { return c.Compat.Tcptrace }},
	{csv: "warnings", value: func(c *analyze.Connection) string { return strings.Join(c.Warnings, "; ") },
		table: tableColumn{at: 130, title: "warnings", right: true, line: func(c *analyze.Connection) line { return line{text: warningCount(c), style: warn} }},
		page: pagePlace{at: 55, key: "warnings", class: "number", words: warningCount,
			sort: func(c *analyze.Connection, _ event.Time) any { return len(c.Warnings) }}},
	{csv: "closer_confidence", value: func(c *analyze.Connection) string { return string(c.CloserSure) }},
	{csv: "fin_by", value: func(c *analyze.Connection) string { return string(c.FinBy) }},
	{csv: "closer_candidates", value: func(c *analyze.Connection) string { return candidates(c, analyze.ClaimCloser, " ") }},
	{csv: "lost_tls_alerts", value: ofLost(func(l analyze.Lost) uint64 { return l.TLSAlerts })},
	{csv: "cause_candidates", value: func(c *analyze.Connection) string { return candidates(c, analyze.ClaimCause, " ") }},
	{csv: "client_ip", bare: func(b []byte, c *analyze.Connection) []byte { return appendIP(b, c.Client) }},
	{csv: "client_port", bare: func(b []byte, c *analyze.Connection) []byte { return appendPort(b, c.Client) }},
	{csv: "server_ip", bare: func(b []byte, c *analyze.Connection) []byte { return appendIP(b, c.Server) }},
	{csv: "server_port", bare: func(b []byte, c *analyze.Connection) []byte { return appendPort(b, c.Server) }},
	{csv: "duration_ns", value: func(c *analyze.Connection) string { return strconv.FormatInt(int64(c.End.Sub(c.Start)), 10) }},
	{csv: "scenario", value: func(c *analyze.Connection) string { return c.Scenario }},
	{csv: "points", value: pointNames},
	{csv: "path_lost", value: onPathCount(func(p *analyze.Path) []analyze.OnPath { return p.Lost })},
	{csv: "path_made", value: onPathCount(func(p *analyze.Path) []analyze.OnPath { return p.Made })},
	{csv: "uid", value: func(c *analyze.Connection) string { return c.UID }},
	{csv: "community_id", value: func(c *analyze.Connection) string { return c.CommunityID }},
	{csv: "first_file", value: func(c *analyze.Connection) string { return c.FirstFile }},
	{csv: "first_file_frame", value: func(c *analyze.Connection) string { return frameOrNone(c.FirstFileFrame) }},
	{csv: "reason", value: ofWords(func(l *analyze.LastWords) string { return l.Reason })},
	{csv: "reason_confidence", value: ofWords(func(l *analyze.LastWords) string { return string(l.Confidence) })},
	{csv: "client_words", value: ofWords(func(l *analyze.LastWords) string { return wordsOf(l.Client) })},
	{csv: "server_words", value: ofWords(func(l *analyze.LastWords) string { return wordsOf(l.Server) })},
	{csv: "idle_ns", value: ofWords(func(l *analyze.LastWords) string { return strconv.FormatInt(l.IdleNS, 10) })},
	{csv: "outstanding", value: ofWords(func(l *analyze.LastWords) string { return decimal(l.Outstanding) })},
	{csv: "other_leg", value: ofRelay(func(r *analyze.Relay) string { return strconv.Itoa(r.Leg) })},
	{csv: "other_leg_reason", value: ofRelay(otherLegReason)},
	{table: tableColumn{at: 20, from: joinEnds, to: bare, title: "client → server", min: 20, line: endsLine}},
	{table: tableColumn{at: 50, to: bare, title: "lasted", right: true, line: func(c *analyze.Connection) line { return line{text: lastedWords(c)} }},
		page: pagePlace{at: 90, key: "ns", class: "wide number", words: lastedWords,
			sort: func(c *analyze.Connection, _ event.Time) any { return int64(c.End - c.Start) }}},
	{table: tableColumn{at: 80, from: joinEnding, to: lean, title: "ending (closer)", min: 12, line: func(c *analyze.Connection) line { return joinedEnding(c, "") }}},
	{table: tableColumn{at: 80, from: bare, to: bare, title: "ending (closer)", min: 12, line: func(c *analyze.Connection) line {
		if lost := lostWords(c); lost != "" {
			return joinedEnding(c, ", lost "+lost)
		}
		return joinedEnding(c, "")
	}}},
	{table: tableColumn{at: 120, to: lean, title: "lost", right: true, line: func(c *analyze.Connection) line { return line{text: lostWords(c), style: bad} }},
		page: pagePlace{at: 50, key: "lost", class: "bad", words: lostWords,
			sort: func(c *analyze.Connection, _ event.Time) any { return c.LostBytes().Sum() }}},
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func frameOrNone(n uint64) string {
	if n == 0 {
		return ""
	}
	return decimal(n)
}

// A fact that a connection does not have leaves its columns empty.

func ofHalfClose(f func(*analyze.HalfClose) string) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.HalfClose == nil {
			return ""
		}
		return f(c.HalfClose)
	}
}

func ofReset(f func(*analyze.Reset) string) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.Reset == nil {
			return ""
		}
		return f(c.Reset)
	}
}

func ofWords(f func(*analyze.LastWords) string) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.LastWords == nil {
			return ""
		}
		return f(c.LastWords)
	}
}

func ofRelay(f func(*analyze.Relay) string) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.Relay == nil {
			return ""
		}
		return f(c.Relay)
	}
}

func otherLegReason(r *analyze.Relay) string {
	if r.Ended == nil {
		return ""
	}
	return r.Ended.Reason
}

func ofLost(f func(analyze.Lost) uint64) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.Reset == nil && c.Lost == nil {
			return ""
		}
		return decimal(f(c.LostBytes()))
	}
}
