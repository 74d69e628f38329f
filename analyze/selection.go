package analyze

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Selection picks connections. Its zero value picks all; every field that is set must hold.
type Selection struct {
	ID           int
	Ending       Ending
	Cause        ResetCause
	Closer       Side
	Finding      FindingKind
	Host         netip.Prefix // either end
	Peer         netip.Prefix // the other end than Host
	Port         uint16       // either end
	MinHalfClose time.Duration
	Said         string        // a part of the message that is the reason
	Closed       [2]event.Time // between which the first end closed; both 0 for whenever
}

// Match reports whether c is picked.
func (s *Selection) Match(c *Connection) bool {
	return (s.ID == 0 || s.ID == c.ID) &&
		(s.Ending == "" || s.Ending == c.Ending) &&
		(s.Cause == "" || c.Reset != nil && c.Reset.Cause == s.Cause) &&
		(s.Closer == NoSide || s.Closer == c.Closer) &&
		(s.Finding == "" || s.Finding.Found(c)) &&
		s.between(c.Client.Addr(), c.Server.Addr()) &&
		(s.Port == 0 || s.Port == c.Client.Port() || s.Port == c.Server.Port()) &&
		(s.Said == "" || c.LastWords != nil && strings.Contains(c.LastWords.Said, s.Said)) &&
		(s.Closed == [2]event.Time{} || s.closed(c.FirstEnd())) &&
		(s.MinHalfClose == 0 || c.HalfClose != nil && time.Duration(c.HalfClose.NS) >= s.MinHalfClose)
}

func (s *Selection) closed(at event.Time) bool {
	return at != 0 && at >= s.Closed[0] && at <= s.Closed[1]
}

// between reports whether the addresses of both ends are picked.
func (s *Selection) between(one, other netip.Addr) bool {
	if !s.Host.IsValid() {
		return true
	}
	return s.Host.Contains(one) && (!s.Peer.IsValid() || s.Peer.Contains(other)) ||
		s.Host.Contains(other) && (!s.Peer.IsValid() || s.Peer.Contains(one))
}

// ParseHost reads an address, or a network like 10.0.0.0/8.
func ParseHost(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%s: want an address or a network like 10.0.0.0/8", s)
	}
	return p, nil
}

// Calls returns the calls of r's picked connections: all of r's where every connection is
// picked, those that belong to none among them.
func (s *Selection) Calls(r *Result) []*Call {
	if !slices.ContainsFunc(r.Connections, func(c *Connection) bool { return !s.Match(c) }) {
		return r.Calls
	}
	picked := map[int]bool{}
	for _, c := range r.Connections {
		picked[c.ID] = s.Match(c)
	}
	return slices.DeleteFunc(slices.Clone(r.Calls), func(c *Call) bool { return !picked[c.Connection] })
}

// Order compares two connections; it is a name's meaning for --sort.
type Order func(a, b *Connection) int

var orders = map[string]Order{
	"start":      func(a, b *Connection) int { return cmp.Compare(a.FirstFrame, b.FirstFrame) },
	"end":        func(a, b *Connection) int { return cmp.Compare(a.LastFrame, b.LastFrame) },
	"duration":   func(a, b *Connection) int { return cmp.Compare(b.End.Sub(b.Start), a.End.Sub(a.Start)) },
	"bytes":      func(a, b *Connection) int { return cmp.Compare(b.Bytes.sum(), a.Bytes.sum()) },
	"half-close": func(a, b *Connection) int { return cmp.Compare(halfCloseNS(b), halfCloseNS(a)) },
	"lost":       func(a, b *Connection) int { return cmp.Compare(b.LostBytes().Sum(), a.LostBytes().Sum()) },
	"ending":     func(a, b *Connection) int { return strings.Compare(string(a.Ending), string(b.Ending)) },
	"server":     func(a, b *Connection) int { return a.Server.Compare(b.Server) },
	"client":     func(a, b *Connection) int { return a.Client.Compare(b.Client) },
}

// OrderBy returns the order of that name: durations and sizes largest first. ok is false
// for a name that OrderNames does not list.
func OrderBy(name string) (o Order, ok bool) {
	o, ok = orders[name]
	return o, ok
}

// OrderNames lists the orders.
func OrderNames() []string {
	names := make([]string, 0, len(orders))
	for name := range orders {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p PerSide) sum() uint64 { return p.Client + p.Server }

func halfCloseNS(c *Connection) int64 {
	if c.HalfClose == nil {
		return 0
	}
	return c.HalfClose.NS
}
