package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/lab/script"
)

// write appends a call on a socket, nil where it has none.
func (d *director) write(p *process, st *script.Step, s *socket, r *reply) *event.Call {
	c := &event.Call{Actor: p.name, FD: st.Op.FD, RecvQ: -1, At: st.At, Want: st.Want, Thread: st.Background}
	fill(c, st, r)
	if s != nil && st.Op.Verb != "accept" {
		c.Socket = s.cookie
		if s.local.IsValid() {
			c.Local = s.local
		}
		if s.remote.IsValid() {
			c.Remote = s.remote
		}
	}
	d.calls = append(d.calls, c)
	d.last = c
	d.pair(c.Local, c.Remote)
	return c
}

// fill copies what the actor said of its call.
func fill(c *event.Call, st *script.Step, r *reply) {
	c.PID, c.TID = r.PID, r.TID
	c.Name, c.Args = st.Op.Verb, formatArgs(st)
	c.Ret, c.Errno = r.Ret, errnoName(r.Errno)
	c.Start, c.End = event.Time(r.Start), event.Time(r.End)
	c.Blocked = r.Blocked
	if r.Cookie != 0 {
		c.Socket = r.Cookie
	}
	if r.Local.IsValid() {
		c.Local = r.Local
	}
	if r.Remote.IsValid() {
		c.Remote = r.Remote
	}
	switch c.Name {
	case "close", "shutdown":
		c.RecvQ = r.RecvQ
	case "connect":
		if st.Unspec {
			c.RecvQ = r.RecvQ
		} else if !c.Remote.IsValid() {
			c.Remote, _ = netip.ParseAddrPort(st.Op.Addr)
		}
	case "accept":
		if r.Errno == 0 {
			c.Accepted = int(r.Ret)
		}
	case "filter":
		c.Name = "setsockopt"
	}
	c.Peek = slices.Contains(st.Op.Words, "MSG_PEEK")
	c.Text = callText(st, r)
}

// shownText is how much of a payload a recording keeps, unless the script compares more.
const shownText = 64

func callText(st *script.Step, r *reply) string {
	limit := max(shownText, len(st.Want))
	switch st.Op.Verb {
	case "send":
		if r.Errno == 0 {
			return string(st.Op.Text[:min(len(st.Op.Text), int(r.Ret), limit)])
		}
	case "recv":
		return string(r.Data[:min(len(r.Data), limit)])
	}
	return r.Text
}

// formatArgs writes what follows the descriptor, as strace would for one who reads it.
func formatArgs(st *script.Step) string {
	o := &st.Op
	switch o.Verb {
	case "bind", "connect":
		if st.Unspec {
			return "AF_UNSPEC"
		}
		return o.Addr
	case "listen", "exit":
		return fmt.Sprint(o.Size)
	case "send", "recv":
		return strings.Join(append([]string{fmt.Sprintf("%d bytes", o.Size)}, o.Words...), ", ")
	case "shutdown":
		return "SHUT_" + o.Words[0]
	case "setsockopt":
		return o.Option + ", " + formatValue(o)
	case "getsockopt":
		return o.Option
	case "poll":
		return strings.Join(o.Words, "|") + ", " + o.Timeout.String()
	case "filter":
		if len(o.Words) == 0 {
			return "SO_DETACH_FILTER"
		}
		return "SO_ATTACH_FILTER, drop " + strings.Join(o.Words, " ")
	}
	return strings.Join(o.Words, "|")
}

func formatValue(o *script.Op) string {
	switch {
	case script.OptionKinds[o.Option] == script.LingerOption && o.Value == script.LingerOff:
		return "{l_onoff=0, l_linger=0}"
	case script.OptionKinds[o.Option] == script.LingerOption:
		return fmt.Sprintf("{l_onoff=1, l_linger=%d}", o.Value)
	case len(o.Words) == 1:
		return o.Words[0]
	}
	return fmt.Sprint(o.Value)
}
