package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/sockets"
)

// socketFields are the columns of the CSV form. New ones go to the end.
var socketFields = []struct {
	name  string
	value func(r *sockets.Socket) string
}{
	{"id", func(r *sockets.Socket) string { return strconv.Itoa(r.ID) }},
	{"other_end", func(r *sockets.Socket) string { return numberOrNone(int64(r.OtherEnd)) }},
	{"trouble", func(r *sockets.Socket) string { return string(r.Trouble) }},
	{"state", func(r *sockets.Socket) string { return r.State.String() }},
	{"local", func(r *sockets.Socket) string { return r.Local.String() }},
	{"remote", func(r *sockets.Socket) string {
		if !r.Remote.IsValid() {
			return ""
		}
		return r.Remote.String()
	}},
	{"count", func(r *sockets.Socket) string { return strconv.Itoa(r.Count) }},
	{"holders", func(r *sockets.Socket) string {
		var who []string
		for _, h := range r.Holders {
			who = append(who, fmt.Sprintf("%s:%d", holderName(h), h.FD))
		}
		return strings.Join(who, " ")
	}},
	{"hidden", func(r *sockets.Socket) string { return strconv.FormatBool(r.Hidden) }},
	{"orphan", func(r *sockets.Socket) string { return strconv.FormatBool(r.Orphan) }},
	{"uid", func(r *sockets.Socket) string { return strconv.FormatUint(uint64(r.UID), 10) }},
	{"age_least_ns", ofAge(func(a *sockets.Age) int64 { return a.LeastNS })},
	{"age_most_ns", ofAge(func(a *sockets.Age) int64 { return a.MostNS })},
	{"unread", func(r *sockets.Socket) string { return strconv.Itoa(r.Unread) }},
	{"end_read", func(r *sockets.Socket) string { return strconv.FormatBool(r.EndRead) }},
	{"unacked", func(r *sockets.Socket) string { return strconv.Itoa(r.Unacked) }},
	{"timer", func(r *sockets.Socket) string { return r.Timer }},
	{"left_ns", func(r *sockets.Socket) string { return numberOrNone(r.LeftNS) }},
	{"resent", func(r *sockets.Socket) string { return numberOrNone(int64(r.Resent)) }},
	{"retries_left", func(r *sockets.Socket) string {
		e := endBy(r, sockets.ByRetries)
		if e.LeftNS == 0 {
			return ""
		}
		return strconv.Itoa(e.Retries)
	}},
	{"waiting", func(r *sockets.Socket) string { return numberOrNone(int64(r.Waiting)) }},
	{"backlog", func(r *sockets.Socket) string { return numberOrNone(int64(r.Backlog)) }},
	{"ports_used", func(r *sockets.Socket) string { return numberOrNone(int64(r.PortsUsed)) }},
	{"ends", func(r *sockets.Socket) string {
		var by []string
		for _, e := range r.Ends {
			by = append(by, string(e.By))
		}
		return strings.Join(by, " ")
	}},
	{"explains", func(r *sockets.Socket) string { return r.Explains }},
}

func ofAge(f func(*sockets.Age) int64) func(*sockets.Socket) string {
	return func(r *sockets.Socket) string {
		if r.Age == nil {
			return ""
		}
		return strconv.FormatInt(f(r.Age), 10)
	}
}

func numberOrNone(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func writeSocketCSV(w io.Writer, l *sockets.Listing) error {
	b := []byte("time")
	for _, f := range socketFields {
		b = append(append(b, ','), f.name...)
	}
	b = append(b, '\n')
	for i := range l.Sockets {
		b = append(b, l.Time.String()...)
		for _, f := range socketFields {
			b = appendField(append(b, ','), f.value(&l.Sockets[i]))
		}
		b = append(b, '\n')
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}
