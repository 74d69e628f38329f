package words_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/words"
)

// sent is a segment of an end, some time after the one before.
type sent struct {
	after time.Duration
	end   words.End
	flags event.Flags
	ack   int // bytes of the other end that it acknowledges, its FIN as one more
	text  string
}

const (
	ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	ack  = event.ACK
	fin  = event.FIN | event.ACK
	rst  = event.RST | event.ACK
	wait = 2 * time.Second

	again = event.ACK | event.URG // what was said before is sent again
)

// known is what a judge and the calls may tell besides: the FIN of the server is the second call's.
type known struct {
	stall  *analyze.Stall
	calls  []*analyze.Call
	closer analyze.Side // "" for the server
	ending analyze.Ending
	lacks  uint64 // bytes that were not captured
}

// reasonOf has segments follow a handshake, and returns why that connection, which the server closed first, ended: by
// a verdict that is given, and what the judge finds of an idle close.
func reasonOf(list []sent, reset *analyze.Reset, known known) (string, analyze.Confidence, *analyze.LastWords) {
	k := words.NewKeeper()
	now := event.Time(1e9)
	addr := [2]event.Segment{{Src: here, Dst: there}, {Src: there, Dst: here}}
	next := [2]uint32{100, 100}
	frame := uint64(0)
	var fact *analyze.IdleClose
	judge := flows.NewFollower(analyze.Options{AllSegments: true}, func(c *analyze.Connection) { fact = c.IdleClose })
	put := func(e words.End, flags event.Flags, back uint32, text string) {
		frame++
		s := addr[e]
		s.Frame, s.Time, s.Flags, s.Len = frame, now, flags, uint32(len(text))
		s.Seq, s.Ack = s.Seq.Add(next[e]), s.Ack.Add(back)
		if flags == again {
			s.Flags, s.Seq = ack, s.Seq.Add(-s.Len)
			next[e] -= s.Len
		}
		k.Segment(&s, []byte(text))
		judge.Segment(&s)
		next[e] += s.Len
		if flags&(event.SYN|event.FIN) != 0 {
			next[e]++
		}
	}
	put(words.Client, event.SYN, 0, "")
	put(words.Server, event.SYN|event.ACK, 101, "")
	for _, s := range list {
		now = now.Add(s.after)
		put(s.end, s.flags, 101+uint32(s.ack), s.text)
	}
	c := &analyze.Connection{Client: here, Server: there, Ending: cmp.Or(known.ending, analyze.Graceful), Closer: cmp.Or(known.closer, analyze.Server), CloserSure: analyze.Observed,
		Whole: true, LastFrame: frame}
	if reset != nil {
		if reset.Cause == analyze.DataAfterClose {
			answered := len(list) - 1
			if list[answered].end == words.Server { // the request left before, and met the close
				answered--
			}
			s := addr[words.Server]
			s.Frame, s.Time, s.Flags, s.Seq = frame+1, now, event.RST, s.Seq.Add(101+uint32(list[answered].ack))
			judge.Segment(&s)
		}
		judge.Finish()
		c.IdleClose = fact
		c.Ending, c.Reset, c.Whole = analyze.WasReset, reset, reset.Cause == analyze.UnreadData
	}
	if c.Ending == analyze.Open {
		c.Closer = ""
	}
	if known.lacks > 0 {
		c.Lost = &analyze.Lost{Missing: known.lacks, From: analyze.Server}
	}
	c.Stall = known.stall
	if known.calls != nil {
		c.Segments = []*analyze.Segment{{From: analyze.Server, Kind: analyze.KindFin, Time: now, Root: analyze.Root{Kind: analyze.RootCall, Call: 2}}}
	}
	k.Take(here, there, frame).Tell(c, words.Telling{Calls: known.calls})
	if c.LastWords == nil {
		return "", "", nil
	}
	return c.LastWords.Reason, c.LastWords.Confidence, c.LastWords
}

// TestRaces holds what is said of a request that meets the server's close, by what each segment acknowledges: one
// that was on its way when the FIN was sent is a race, one that was sent when that had come is not, and an answer
// makes it neither.
func TestRaces(t *testing.T) {
	n, m := len(ok), len(get)
	byServer := &analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose}
	unread := &analyze.Reset{By: analyze.Server, Cause: analyze.UnreadData}
	first := []sent{{0, 0, ack, 0, get}, {0, 1, ack, m, ok}, {0, 0, ack, n, ""}}
	for name, tt := range map[string]struct {
		list  []sent
		reset *analyze.Reset
		want  string
	}{
		"seen at the server": {append(first[:3:3], sent{wait, 1, fin, m, ""}, sent{300 * time.Microsecond, 0, ack, n, get}), byServer,
			"keep-alive race: 2.0 s idle, the request (frame 7) crossed the server's close by 0.3 ms, no byte of an answer had come"},
		"seen at the client": {append(first[:3:3], sent{wait, 0, ack, n, get}, sent{200 * time.Microsecond, 1, fin, m, ""}), byServer,
			"keep-alive race: 2.0 s idle, the request (frame 6) crossed the server's close by 0.2 ms, no byte of an answer had come"},
		"a pause of 20 ms, in how many round trips is not known": {append(first[:3:3], sent{20 * time.Millisecond, 1, fin, m, ""}, sent{time.Millisecond, 0, ack, n, get}), byServer,
			"the request (frame 7) crossed the server's close by 1.0 ms, no byte of an answer had come"},
		"without a pause": {append(first[:3:3], sent{0, 1, fin, m, ""}, sent{time.Millisecond, 0, ack, n, get}), byServer,
			"the request (frame 7) crossed the server's close by 1.0 ms, no byte of an answer had come"},
		"lay unread": {append(first[:3:3], sent{wait, 0, ack, n, get}, sent{time.Millisecond, 1, rst, 2 * m, ""}), unread,
			"keep-alive race: 2.0 s idle, the request lay unread when the server closed 1.0 ms after it, no byte of an answer had come"},
		"at its end": {append(first[:3:3], sent{wait, 1, fin, m, ""}, sent{0, 0, ack, n + 1, ""}, sent{wait, 0, ack, n + 1, get}), byServer,
			"the request (frame 8) was sent 2.0 s after the server's close, of which the client's kernel knew: a connection at its end was used again; " +
				"the server had closed after 2.0 s of idling"},
		"answered": {append(first[:3:3], sent{wait, 0, ack, n, get}, sent{0, 1, ack, 2 * m, ok}, sent{0, 1, fin, 2 * m, ""}, sent{0, 0, fin, 2*n + 1, ""}), nil, ""},
		"taken and not answered": {append(first[:3:3], sent{wait, 0, ack, n, get}, sent{0, 1, ack, 2 * m, ""}, sent{time.Minute, 1, fin, 2 * m, ""}), nil,
			"the server closed 1 min 00 s after the last request, with no answer to GET / HTTP/1.1 (frame 6)"},
		"idle": {append(first[:3:3], sent{wait, 1, fin, m, ""}, sent{0, 0, fin, n + 1, ""}), nil,
			"the server closed after 2.0 s of idling, no request was outstanding"},
		"data unread": {[]sent{{0, 0, ack, 0, "\x01\x02\x03\x04"}, {0, 1, ack, 4, ""}, {wait, 1, rst, 4, ""}}, unread, ""},
		"idle after an error": {append(first[:3:3], sent{0, 0, ack, n, get}, sent{0, 1, ack, 2 * m, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"},
			sent{wait, 1, fin, 2 * m, ""}, sent{0, 0, fin, n + 48, ""}), nil,
			"the server closed after 2.0 s of idling, no request was outstanding; the last answer was HTTP/1.1 502 Bad Gateway (frame 7)"},
		"behind the last request": {[]sent{{0, 0, ack, 0, get + get + get}, {0, 1, ack, 3 * m, strings.Replace(ok, "OK\r\n", "OK\r\nConnection: close\r\n", 1)}, {0, 1, fin, 3 * m, ""},
			{0, 0, fin, n + 20, ""}}, nil, "the server ended it: Connection: close (frame 4), with no answer to 2 requests, the last GET / HTTP/1.1 (frame 3), then closed"},
		"no HTTP": {[]sent{{0, 0, ack, 0, get}, {0, 1, ack, m, "\x00\x01hello\r\n"}, {0, 1, fin, m, ""}, {0, 0, fin, 10, ""}}, nil,
			"the server closed, and what the server had said was no HTTP, in answer to GET / HTTP/1.1 (frame 4)"},
		"no request behind one": {append(first[:3:3], sent{0, 0, ack, n, "\x88\x82abcd\x62\x8a"}, sent{0, 1, fin, m + 8, ""}, sent{0, 0, fin, n + 1, ""}), nil, ""},
		"idle in a message": {append(first[:3:3], sent{0, 0, ack, n, get[:9]}, sent{wait, 1, fin, m + 9, ""}, sent{0, 0, fin, n + 1, ""}), nil,
			"the server closed in the middle of the client's message: GET / HTT, cut within its header (frame 6), 2.0 s after its last byte"},
		"a goodbye after the close": {[]sent{{0, 0, ack, 0, h2begin}, {0, 1, ack, len(h2begin), h2begin[24:]}, {wait, 1, fin, len(h2begin), ""}, {wait, 0, ack, 10, goaway}},
			&analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose, Lost: analyze.Lost{AfterClose: 17, From: analyze.Client}},
			"the server closed after 2.0 s of idling, no request was outstanding; reset, harmless: what met the closed socket was the client's own GOAWAY"},
		"goodbyes that cross": {[]sent{{0, 0, ack, 0, h2begin}, {0, 1, ack, len(h2begin), goaway}, {wait, 1, fin, len(h2begin), ""},
			{0, 0, ack, len(goaway), goaway}}, &analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose, Lost: analyze.Lost{AfterClose: 17, From: analyze.Client}},
			"the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame 4), then closed; reset, harmless: what met the closed socket was the client's own GOAWAY"},
	} {
		got, sure, all := reasonOf(tt.list, tt.reset, known{})
		if all != nil && name == "at its end" && all.IdleNS != int64(wait) {
			t.Errorf("%s: idle for %d ns when the server closed", name, all.IdleNS)
		}
		if all != nil && name == "seen at the client" && all.IdleNS != int64(wait+200*time.Microsecond) {
			t.Errorf("%s: idle for %d ns when the server closed", name, all.IdleNS)
		}
		if got != tt.want || got != "" && sure != analyze.Observed {
			t.Errorf("%s: %q (%s), want %q; %+v", name, got, sure, tt.want, all)
		}
	}
}

// TestUnknownProtocol holds that what met the close tells its reason where no protocol is known, too, and that nothing does where
// nobody idled and nothing met it.
func TestUnknownProtocol(t *testing.T) {
	const some = "\x01\x02\x03\x04"
	byServer := &analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose}
	first := []sent{{0, 0, ack, 0, some}, {0, 1, ack, 4, some}, {0, 0, ack, 4, ""}}
	for name, tt := range map[string]struct {
		list  []sent
		reset *analyze.Reset
		known known
		want  string
	}{
		"crossed": {append(first[:3:3], sent{0, 1, fin, 4, ""}, sent{time.Millisecond, 0, ack, 4, some}), byServer, known{},
			"data (frame 7) crossed the server's close by 1.0 ms, no byte of an answer had come"},
		"late": {append(first[:3:3], sent{0, 1, fin, 4, ""}, sent{0, 0, ack, 5, ""}, sent{time.Millisecond, 0, ack, 5, some}), byServer, known{},
			"data (frame 8) was sent 1.0 ms after the server's close, of which the client's kernel knew: a connection at its end was used again"},
		"seen at the client": {append(first[:3:3], sent{300 * time.Millisecond, 0, ack, 4, some}, sent{200 * time.Microsecond, 1, fin, 4, ""}), byServer, known{},
			"data (frame 6) crossed the server's close by 0.2 ms, no byte of an answer had come"},
		"idle": {append(first[:3:3], sent{wait, 1, fin, 4, ""}, sent{0, 0, fin, 5, ""}), nil, known{},
			"the server closed after 2.0 s of idling"},
		"stalled": {append(first[:3:3], sent{0, 1, fin, 4, ""}, sent{0, 0, fin, 5, ""}), nil, known{stall: &analyze.Stall{By: analyze.Client, NS: int64(2 * time.Second)}},
			"the server closed after the client had read nothing for 1.0 s"},
		"sent again and again": {append(first[:3:3], sent{0, 1, ack, 4, some}, sent{wait, 1, again, 4, some}, sent{wait / 5, 1, fin, 4, ""}, sent{0, 0, fin, 9, ""}), nil,
			known{}, ""},
		"sent again, then idle": {append(first[:3:3], sent{0, 1, ack, 4, some}, sent{wait, 1, again, 4, some}, sent{wait, 1, fin, 4, ""}, sent{0, 0, fin, 9, ""}), nil,
			known{}, "the server closed after 2.0 s of idling"},
		"the server alone": {[]sent{{0, 1, ack, 0, some}, {wait, 1, fin, 0, ""}, {0, 0, fin, 5, ""}}, nil, known{},
			"the server closed after 2.0 s of idling, the client had said nothing"},
		"neither": {[]sent{{wait, 1, fin, 0, ""}, {0, 0, fin, 1, ""}}, nil, known{}, "the server closed after 2.0 s of idling, nothing had been said"},
		"nothing": {append(first[:3:3], sent{0, 1, fin, 4, ""}, sent{0, 0, fin, 5, ""}), nil, known{}, ""},
	} {
		if got, _, _ := reasonOf(tt.list, tt.reset, tt.known); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestHalfClosedReason holds that what a request says of its connection is no reason why the client closes behind it: it
// gives up, or waits for the answer.
func TestHalfClosedReason(t *testing.T) {
	last := strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	for want, ending := range map[string]analyze.Ending{
		"": analyze.HalfClosed,
		"the client closed after 2.0 s with no answer to GET / HTTP/1.1 (frame 3)": analyze.Graceful,
	} {
		list := []sent{{0, 0, ack, 0, last}, {0, 1, ack, len(last), ""}, {wait, 0, fin, 0, ""}, {0, 1, ack, len(last) + 1, ""}}
		if got, _, _ := reasonOf(list, nil, known{closer: analyze.Client, ending: ending}); got != want {
			t.Errorf("%s: %q, want %q", ending, got, want)
		}
		list = []sent{{0, 0, ack, 0, last}, {0, 1, ack, len(last), ok[:len(ok)-1]}, {wait, 0, fin, len(ok) - 1, ""}, {0, 1, ack, len(last) + 1, ""}}
		if got, _, _ := reasonOf(list, nil, known{closer: analyze.Client, ending: ending}); strings.Contains(got, "ended it") {
			t.Errorf("%s, in the middle of the answer: %q", ending, got)
		}
	}
}

// A process that ends, or holds a socket longer than the one that closed it, keeps no idle time.
func TestIdleReasonFitsTheCalls(t *testing.T) {
	list := []sent{{0, 0, ack, 0, "\x01\x02\x03\x04"}, {wait, 1, fin, 4, ""}, {0, 0, fin, 1, ""}}
	call := func(id int, name string) *analyze.Call {
		return &analyze.Call{Call: &event.Call{ID: id, Name: name}, Side: analyze.Server}
	}
	held := call(1, "close")
	held.Ring = true
	for _, tt := range []struct {
		calls []*analyze.Call
		want  string
	}{
		{[]*analyze.Call{call(2, "close")}, "the server closed after 2.0 s of idling"},
		{[]*analyze.Call{call(2, "shutdown")}, "the server closed after 2.0 s of idling"},
		{[]*analyze.Call{call(2, "kill")}, ""},
		{[]*analyze.Call{call(2, "exit")}, ""},
		{[]*analyze.Call{held, call(2, "close")}, ""},
	} {
		if got, _, _ := reasonOf(list, nil, known{calls: tt.calls}); got != tt.want {
			t.Errorf("%q, want %q, where the server's last call was %s()", got, tt.want, tt.calls[len(tt.calls)-1].Name)
		}
	}
}

// TestThinnerReason holds that a capture which lacks a segment says nothing of what did not come.
func TestThinnerReason(t *testing.T) {
	n, m := len(ok), len(get)
	got, _, _ := reasonOf([]sent{{0, 0, ack, 0, get}, {wait, 1, fin, m, ""}, {0, 0, fin, n + 1, ""}}, nil, known{})
	if !strings.Contains(got, "no answer to GET /") {
		t.Fatalf("the whole capture says %q", got)
	}
	last := strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	if got, _, _ := reasonOf([]sent{{0, 0, ack, 0, last}}, nil, known{ending: analyze.Open}); got != "" {
		t.Errorf("of a connection that is open: %q", got)
	}
	goodbye := []sent{{0, 0, ack, 0, h2begin}, {0, 1, ack, len(h2begin), goaway}, {0, 1, fin, len(h2begin), ""}}
	if got, _, _ := reasonOf(goodbye, nil, known{lacks: 9}); got != "" {
		t.Errorf("of a connection of which the capture lacks data: %q", got)
	}
	k := words.NewKeeper()
	frame := converse(k, 1, 1000, get, "")
	c := &analyze.Connection{Client: here, Server: there, Ending: analyze.Graceful, Closer: analyze.Server, LastFrame: frame}
	if k.Take(here, there, frame).Tell(c, words.Telling{}); c.LastWords != nil && c.LastWords.Reason != "" {
		t.Errorf("of a connection that lacks segments: %q", c.LastWords.Reason)
	}
}
