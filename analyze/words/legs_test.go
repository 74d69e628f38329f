package words_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
)

// wired is a connection as the tests of relays set it up.
type wired struct {
	client, server string
	opened         time.Duration
	lines          []utterance
}

// utterance is what an end says at a time.
type utterance struct {
	at   time.Duration
	end  words.End
	text string
}

// tie has connections carry what they say in the order of time, and returns the leg that each is tied to, 0 for none. The
// file says of the packets that left the capturing host, which has the addresses here, that they did.
func tie(conns []wired, here ...string) string {
	k := words.NewKeeper()
	legs := k.Ties()
	type segment struct {
		at time.Duration
		event.Segment
		text string
	}
	var all []*analyze.Connection
	var segments []segment
	for i, w := range conns {
		ends := [2]netip.AddrPort{netip.MustParseAddrPort(w.client), netip.MustParseAddrPort(w.server)}
		next := [2]uint32{uint32(1000 * (i + 1)), uint32(5000 * (i + 1))}
		isn := next[0]
		put := func(at time.Duration, e words.End, flags event.Flags, text string) {
			s := event.Segment{Src: ends[e], Dst: ends[e.Other()], Flags: flags, Len: uint32(len(text))}
			s.Seq, s.Ack = s.Seq.Add(next[e]), s.Ack.Add(next[e.Other()])
			if slices.Contains(here, ends[e].Addr().String()) {
				s.Has |= event.Outgoing
			}
			segments = append(segments, segment{at, s, text})
			if next[e] += s.Len; flags&(event.SYN|event.FIN) != 0 {
				next[e]++
			}
		}
		put(w.opened, words.Client, event.SYN, "")
		put(w.opened, words.Server, event.SYN|event.ACK, "")
		for _, l := range w.lines {
			put(l.at, l.end, event.ACK, l.text)
		}
		put(time.Hour, words.Server, fin, "")
		all = append(all, &analyze.Connection{ID: i + 1, Client: ends[0], Server: ends[1], ISN: analyze.ISN{Client: &isn}})
	}
	for frame := uint64(1); len(segments) > 0; frame++ {
		first := 0
		for i, s := range segments {
			if s.at < segments[first].at {
				first = i
			}
		}
		s := segments[first]
		s.Frame, s.Time = frame, event.Time(1e9).Add(s.at)
		k.Segment(&s.Segment, []byte(s.text))
		segments = append(segments[:first], segments[first+1:]...)
	}
	for _, c := range all {
		h := k.Take(c.Client, c.Server, 1<<62)
		h.Tell(c, words.Telling{})
		legs.Add(h, c)
		k.GiveBack(h)
	}
	legs.Tie(all)
	var tied []int
	for _, c := range all {
		leg := 0
		if c.Relay != nil {
			leg = c.Relay.Leg
		}
		tied = append(tied, leg)
	}
	return fmt.Sprint(tied)
}

// TestTies holds which connections are two legs of a relay: what one took the other sent, in that order, and no third
// connection carried the same.
func TestTies(t *testing.T) {
	const (
		ask    = "a question that is long enough"
		tell   = "an answer that is long enough"
		client = "10.0.0.1:40000"
		relay  = "10.0.0.2:80"
		from   = "10.0.0.2:50000"
		server = "10.0.0.3:81"
	)
	say := func(first, step time.Duration, ask, tell string) []utterance {
		return []utterance{{first, words.Client, ask}, {first + step, words.Server, tell}}
	}
	ms := time.Millisecond
	front := wired{client, relay, 0, say(1*ms, 9*ms, ask, tell)}
	back := wired{from, server, 1 * ms, say(2*ms, 4*ms, ask, tell)}
	page := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
	get := func(head string) string { return "GET /a HTTP/1.1\r\n" + head + "\r\n\r\n" }
	for name, tt := range map[string]struct {
		conns []wired
		want  string
	}{
		"relayed":              {[]wired{front, back}, "[2 1]"},
		"the answer was cut":   {[]wired{{client, relay, 0, say(1*ms, 9*ms, ask, tell[:9])}, back}, "[2 1]"},
		"in other pieces":      {[]wired{front, {from, server, ms, []utterance{{2 * ms, 0, ask[:7]}, {3 * ms, 0, ask[7:]}, {5 * ms, 1, tell}}}}, "[2 1]"},
		"another question":     {[]wired{front, {from, server, ms, say(2*ms, 4*ms, "another that is long enough..", tell)}}, "[0 0]"},
		"another answer":       {[]wired{front, {from, server, ms, say(2*ms, 4*ms, ask, "another that is long enough.")}}, "[0 0]"},
		"more than it took":    {[]wired{front, {from, server, ms, say(2*ms, 4*ms, ask+"!", tell)}}, "[0 0]"},
		"asked before":         {[]wired{front, {from, server, ms / 2, say(ms/2, 4*ms, ask, tell)}}, "[0 0]"},
		"answered after":       {[]wired{front, {from, server, ms, say(2*ms, 20*ms, ask, tell)}}, "[0 0]"},
		"opened before":        {[]wired{{client, relay, ms, front.lines}, {from, server, 0, back.lines}}, "[0 0]"},
		"long after":           {[]wired{{client, relay, 0, say(ms, 9*time.Second, ask, tell)}, {from, server, ms, say(2*time.Second, 4*ms, ask, tell)}}, "[0 0]"},
		"two that are alike":   {[]wired{front, back, {"10.0.0.2:50001", server, 1 * ms, back.lines}}, "[0 0 0]"},
		"from elsewhere, all":  {[]wired{front, {"10.8.0.9:50000", server, 1 * ms, back.lines}}, "[2 1]"},
		"from elsewhere, part": {[]wired{front, {"10.8.0.9:50000", server, 1 * ms, say(2*ms, 4*ms, ask[:20], tell)}}, "[0 0]"},
		"little, on one host":  {[]wired{{client, "10.0.0.1:80", 0, front.lines}, {"10.0.0.1:50000", server, ms, back.lines}}, "[0 0]"},
		"one asks two at once": {[]wired{{client, relay, 0, say(1*ms, 9*ms, ask+ask, tell+tell)}, {"10.0.0.1:40001", server, 1 * ms, say(2*ms, 4*ms, ask+ask, tell+tell)}}, "[0 0]"},
		"a chain": {[]wired{front, back, {"10.0.0.3:60000", "10.0.0.4:82", 2 * ms, say(3*ms, 2*ms, ask, tell)}},
			"[2 3 2]"},
		"other heads": {[]wired{{client, relay, 0, say(1*ms, 9*ms, get("Host: a"), page)}, {from, server, 1 * ms, say(2*ms, 4*ms, get("Host: b"), "HTTP/1.1 200 Fine\r\nContent-Length: 10\r\n\r\n0123456789")}},
			"[2 1]"},
		"kept back":                  {[]wired{{client, relay, 0, say(1*ms, 9*ms, get("Host: a"), "")}, {from, server, 1 * ms, say(2*ms, 4*ms, get("Host: b"), page)}}, "[2 1]"},
		"kept back, or one asks two": {[]wired{{client, relay, 0, say(1*ms, 9*ms, get("Host: a"), "")}, {client, server, 1 * ms, say(2*ms, 4*ms, get("Host: b"), page)}}, "[0 0]"},
		"another body": {[]wired{{client, relay, 0, say(1*ms, 9*ms, get("Host: a"), page)}, {from, server, 1 * ms, say(2*ms, 4*ms, get("Host: b"), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n9876543210")}},
			"[0 0]"},
	} {
		if got := tie(tt.conns); got != tt.want {
			t.Errorf("%s: tied to %s, want %s", name, got, tt.want)
		}
	}
}

// TestTiesOfAddresses holds that a proxy with an address on each side is known as one where the file says that both are the
// capturing host's.
func TestTiesOfAddresses(t *testing.T) {
	const (
		get  = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
		got  = "GET /a HTTP/1.0\r\nHost: b\r\n\r\n"
		page = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
		fine = "HTTP/1.0 200 Fine\r\nContent-Length: 10\r\n\r\n0123456789"
		ms   = time.Millisecond
	)
	conns := []wired{
		{"10.0.0.1:40000", "10.0.0.2:80", 0, []utterance{{ms, 0, get}, {9 * ms, 1, page}}},
		{"10.1.0.2:50000", "10.1.0.3:81", ms, []utterance{{2 * ms, 0, got}, {6 * ms, 1, fine}}},
	}
	for want, here := range map[string][]string{"[2 1]": {"10.0.0.2", "10.1.0.2"}, "[0 0]": nil, "[0 0] ": {"10.1.0.2"}, "[0 0]  ": {"10.0.0.1", "10.0.0.2"}} {
		if got := tie(conns, here...); got != strings.TrimSpace(want) {
			t.Errorf("from %v: tied to %s, want %s", here, got, want)
		}
	}
}
