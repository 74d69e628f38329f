package analyze

import (
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// End returns the relative sequence number after the segment: SYN and FIN take one number each.
func (s *Segment) End() int64 {
	end := s.Seq + int64(s.Len)
	if s.Flags.Has(event.SYN) {
		end++
	}
	if s.Flags.Has(event.FIN) {
		end++
	}
	return end
}

// Fin returns what ended a side's stream: its first FIN, or MPTCP's DATA_FIN, nil where none is listed.
func (c *Connection) Fin(side Side) *Segment {
	var fin *Segment
	for _, s := range c.Segments {
		switch {
		case s.From != side:
		case s.DataFin:
			return s
		case fin == nil && s.Kind == KindFin && s.Ignored == "":
			fin = s
		}
	}
	return fin
}

// Enders returns the call that sent a FIN, and the first close() before it that did not, since another holder or
// io_uring had the socket; nil where there is none, or none was recorded. calls are the connection's.
func (s *Segment) Enders(calls []*Call) (ender, vain *Call) {
	for _, k := range calls {
		switch {
		case k.Side != s.From || k.Start > s.Time:
		case s.Root.Kind == RootCall && k.ID == s.Root.Call:
			ender = k
		case vain == nil && k.Kind() == event.CloseCall && k.Errno == "" && len(k.Caused) == 0 && (len(k.Holders) > 0 || k.Ring || s.Root.Kind == RootUnknown):
			vain = k
		}
	}
	return ender, vain
}

// EndsProcess reports whether the call is the end of its process, which closes what it has open.
func (c *Call) EndsProcess() bool { return c.Name == "exit" || c.Name == "kill" }

// EndsSending reports whether the call ended what its end sends: a FIN is to go out behind what is queued.
func (c *Call) EndsSending() bool {
	switch {
	case c.Errno != "":
		return false
	case c.Kind() == event.ShutdownCall:
		return strings.Contains(c.Args, "WR")
	}
	return c.Kind() == event.CloseCall && len(c.Holders) == 0
}

// TookLess reports whether a send took less than it was given, or nothing.
func (c *Call) TookLess() bool {
	return c.Kind() == event.SendCall && (c.Errno == "EAGAIN" || c.Errno == "" && c.Ret >= 0 && c.Ret < c.given())
}

// given returns how many bytes a send was to take, 0 where that is not known.
func (c *Call) given() int64 {
	words, _, _ := strings.Cut(c.Args, " byte")
	n, err := strconv.ParseInt(words, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// CallsByConnection returns the calls of each connection, by its ID, as they stand in Calls.
func (r *Result) CallsByConnection() map[int][]*Call {
	calls := map[int][]*Call{}
	for _, k := range r.Calls {
		if k.Connection != 0 {
			calls[k.Connection] = append(calls[k.Connection], k)
		}
	}
	return calls
}
