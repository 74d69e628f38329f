package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// zeekField is a field of Zeek's conn.log: its name, its type, and its value, "" where that is not known.
type zeekField struct {
	name, kind string
	value      func(*analyze.Connection) string
}

// zeekFields are those of conn.log as Zeek 6 writes it (scripts/base/protocols/conn/main.zeek), and
// community_id behind them, where its policy script adds it. What closecap does not know, as the
// service and the bytes of IP headers, is unset, and so are duration and bytes of what took no time. No value
// holds bytes of the packets' own, so there is nothing to escape.
var zeekFields = []zeekField{
	{"ts", "time", func(c *analyze.Connection) string { return zeekTime(int64(c.Start)) }},
	{"uid", "string", func(c *analyze.Connection) string { return c.UID }},
	{"id.orig_h", "addr", func(c *analyze.Connection) string { return c.Client.Addr().String() }},
	{"id.orig_p", "port", func(c *analyze.Connection) string { return strconv.Itoa(int(c.Client.Port())) }},
	{"id.resp_h", "addr", func(c *analyze.Connection) string { return c.Server.Addr().String() }},
	{"id.resp_p", "port", func(c *analyze.Connection) string { return strconv.Itoa(int(c.Server.Port())) }},
	{"proto", "enum", func(*analyze.Connection) string { return "tcp" }},
	{"service", "string", unset},
	{"duration", "interval", lasting(func(c *analyze.Connection) string { return zeekTime(int64(c.End - c.Start)) })},
	{"orig_bytes", "count", lasting(func(c *analyze.Connection) string { return decimal(c.Bytes.Client) })},
	{"resp_bytes", "count", lasting(func(c *analyze.Connection) string { return decimal(c.Bytes.Server) })},
	{"conn_state", "string", func(c *analyze.Connection) string { return c.Compat.ZeekConnState }},
	{"local_orig", "bool", unset},
	{"local_resp", "bool", unset},
	{"missed_bytes", "count", func(c *analyze.Connection) string { return decimal(c.LostBytes().Missing) }},
	{"history", "string", func(c *analyze.Connection) string { return c.Compat.ZeekHistory }},
	{"orig_pkts", "count", func(c *analyze.Connection) string { return decimal(c.Packets.Client) }},
	{"orig_ip_bytes", "count", unset},
	{"resp_pkts", "count", func(c *analyze.Connection) string { return decimal(c.Packets.Server) }},
	{"resp_ip_bytes", "count", unset},
	{"tunnel_parents", "set[string]", unset},
	{"community_id", "string", func(c *analyze.Connection) string { return c.CommunityID }},
}

func unset(*analyze.Connection) string { return "" }

// lasting leaves a value out where the connection took no time, as Zeek does.
func lasting(value func(*analyze.Connection) string) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		if c.End <= c.Start {
			return ""
		}
		return value(c)
	}
}

// zeekTime writes nanoseconds as seconds with six digits, as Zeek does.
func zeekTime(ns int64) string {
	us := (ns + 500) / 1000
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

// newZeekBody writes conn.log in Zeek's own form, which zeek-cut reads: fields apart by tabs, under lines
// that name them. The log is as old as its first connection.
func newZeekBody(s *Stream) body { return &zeekBody{Stream: s} }

type zeekBody struct {
	*Stream
	last event.Time
}

func (z *zeekBody) connection(c *analyze.Connection) error {
	if z.n == 1 {
		if err := z.put([]byte(zeekHeading(c.Start))); err != nil {
			return err
		}
	}
	analyze.Identify(c)
	z.last = max(z.last, c.End)
	b := z.room()
	for i, f := range zeekFields {
		if i > 0 {
			b = append(b, '\t')
		}
		if v := f.value(c); v != "" {
			b = append(b, v...)
		} else {
			b = append(b, '-')
		}
	}
	return z.put(append(b, '\n'))
}

func (z *zeekBody) finish(*analyze.Result) error {
	if z.n == 0 {
		if err := z.put([]byte(zeekHeading(0))); err != nil {
			return err
		}
	}
	return z.put([]byte("#close\t" + zeekDate(z.last) + "\n"))
}

func zeekDate(t event.Time) string { return time.Unix(0, int64(t)).UTC().Format("2006-01-02-15-04-05") }

func zeekHeading(open event.Time) string {
	names, kinds := make([]string, len(zeekFields)), make([]string, len(zeekFields))
	for i, f := range zeekFields {
		names[i], kinds[i] = f.name, f.kind
	}
	return "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#open\t" + zeekDate(open) +
		"\n#fields\t" + strings.Join(names, "\t") + "\n#types\t" + strings.Join(kinds, "\t") + "\n"
}

// newZeekJSONBody writes conn.log as Zeek does under LogAscii::use_json: an object a line, without what is
// unset.
func newZeekJSONBody(s *Stream) body {
	return &linesBody{Stream: s, line: func(b []byte, c *analyze.Connection) []byte {
		analyze.Identify(c)
		sep := byte('{')
		for _, f := range zeekFields {
			v := f.value(c)
			if v == "" {
				continue
			}
			b = append(b, sep)
			sep = ','
			b = append(strconv.AppendQuote(b, f.name), ':')
			switch f.kind { // of the others, each value is ASCII without a quote or a backslash
			case "time", "interval", "count", "port":
				b = append(b, v...)
			default:
				b = append(append(append(b, '"'), v...), '"')
			}
		}
		return append(b, "}\n"...)
	}}
}
