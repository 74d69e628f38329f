package report

import (
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// csvColumns are the columns of the CSV form, one row a connection. New ones go to the end.
var csvColumns = []struct {
	name  string
	value func(*analyze.Connection) string
}{
	{"id", func(c *analyze.Connection) string { return strconv.Itoa(c.ID) }},
	{"client", func(c *analyze.Connection) string { return c.Client.String() }},
	{"server", func(c *analyze.Connection) string { return c.Server.String() }},
	{"guessed", func(c *analyze.Connection) string { return strconv.FormatBool(c.Guessed) }},
	{"start", func(c *analyze.Connection) string { return c.Start.String() }},
	{"end", func(c *analyze.Connection) string { return c.End.String() }},
	{"first_frame", func(c *analyze.Connection) string { return decimal(c.FirstFrame) }},
	{"last_frame", func(c *analyze.Connection) string { return decimal(c.LastFrame) }},
	{"client_packets", func(c *analyze.Connection) string { return decimal(c.Packets.Client) }},
	{"server_packets", func(c *analyze.Connection) string { return decimal(c.Packets.Server) }},
	{"client_bytes", func(c *analyze.Connection) string { return decimal(c.Bytes.Client) }},
	{"server_bytes", func(c *analyze.Connection) string { return decimal(c.Bytes.Server) }},
	{"client_retransmits", func(c *analyze.Connection) string { return decimal(c.Retransmits.Client) }},
	{"server_retransmits", func(c *analyze.Connection) string { return decimal(c.Retransmits.Server) }},
	{"ending", func(c *analyze.Connection) string { return string(c.Ending) }},
	{"closer", func(c *analyze.Connection) string { return string(c.Closer) }},
	{"simultaneous", func(c *analyze.Connection) string { return strconv.FormatBool(c.Simultaneous) }},
	{"confidence", func(c *analyze.Connection) string { return string(c.Confidence) }},
	{"half_close_by", ofHalfClose(func(h *analyze.HalfClose) string { return string(h.By) })},
	{"half_close_ns", ofHalfClose(func(h *analyze.HalfClose) string { return strconv.FormatInt(h.NS, 10) })},
	{"half_close_bytes", ofHalfClose(func(h *analyze.HalfClose) string { return decimal(h.Bytes) })},
	{"reset_by", ofReset(func(r *analyze.Reset) string { return string(r.By) })},
	{"reset_frame", ofReset(func(r *analyze.Reset) string { return decimal(r.Frame) })},
	{"reset_cause", ofReset(func(r *analyze.Reset) string { return string(r.Cause) })},
	{"reset_confidence", ofReset(func(r *analyze.Reset) string { return string(r.Confidence) })},
	{"reset_trigger", ofReset(func(r *analyze.Reset) string { return frameOrNone(r.Trigger) })},
	{"lost_unacked", ofLost(func(l analyze.Lost) uint64 { return l.Unacked })},
	{"lost_unread", ofLost(func(l analyze.Lost) uint64 { return l.Unread })},
	{"lost_after_close", ofLost(func(l analyze.Lost) uint64 { return l.AfterClose })},
	{"time_wait", func(c *analyze.Connection) string {
		var holders []string
		for _, t := range c.TimeWait {
			holders = append(holders, string(t.Holder))
		}
		return strings.Join(holders, " ")
	}},
	{"zeek_conn_state", func(c *analyze.Connection) string { return c.Compat.ZeekConnState }},
	{"zeek_history", func(c *analyze.Connection) string { return c.Compat.ZeekHistory }},
	{"wireshark_completeness", func(c *analyze.Connection) string { return strconv.Itoa(c.Compat.Completeness) }},
	{"tcptrace", func(c *analyze.Connection) string { return c.Compat.Tcptrace }},
	{"warnings", func(c *analyze.Connection) string { return strings.Join(c.Warnings, "; ") }},
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

func ofLost(f func(analyze.Lost) uint64) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.Reset == nil && c.Lost == nil {
			return ""
		}
		return decimal(f(c.LostBytes()))
	}
}

func newCSVBody(s *Stream) body {
	return &linesBody{Stream: s, heading: csvHeading(), line: appendCSV}
}

func csvHeading() string {
	names := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		names[i] = c.name
	}
	return strings.Join(names, ",") + "\n"
}

func appendCSV(b []byte, c *analyze.Connection) []byte {
	for i, column := range csvColumns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, column.value(c))
	}
	return append(b, '\n')
}

// appendField quotes s where RFC 4180 asks for it. Text that a spreadsheet would take for a
// formula gets an apostrophe before it.
func appendField(b []byte, s string) []byte {
	s = Safe(s)
	if s != "" && strings.IndexByte("=+-@", s[0]) >= 0 {
		s = "'" + s
	}
	if !strings.ContainsAny(s, ",\"\n\r") {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
