package words_test

import (
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// A connection in which one end does not read is not idle.
func TestStalledReason(t *testing.T) {
	list := []sent{{0, 0, ack, 0, "\x01\x02\x03\x04"}, {0, 1, ack, 4, "\x05"}, {wait, 1, fin, 4, ""}, {0, 0, fin, 2, ""}}
	byClient := []sent{list[0], list[1], {wait, 0, fin, 1, ""}}
	for _, tt := range []struct {
		list  []sent
		known known
		want  string
	}{
		{list, known{}, "the server closed after 2.0 s of idling"},
		{list, known{stall: &analyze.Stall{By: analyze.Client, Since: 1e9, NS: 1, Ended: true}}, "the server closed after 2.0 s of idling"},
		{list, known{stall: &analyze.Stall{By: analyze.Client, Since: 1e9, NS: int64(wait)}}, "the server closed after the client had read nothing for 2.0 s"},
		{list, known{stall: &analyze.Stall{By: analyze.Server, Since: 1e9, NS: int64(wait)}},
			"the server closed, and had read nothing for 2.0 s; had the client given up before, its FIN would wait behind what it could not send"},
		{byClient, known{stall: &analyze.Stall{By: analyze.Client, Since: 1e9, NS: int64(wait)}, closer: analyze.Client},
			"the client closed, and had read nothing for 2.0 s; had the server given up before, its FIN would wait behind what it could not send"},
	} {
		if got, _, all := reasonOf(tt.list, nil, tt.known); got != tt.want {
			t.Errorf("%+v: %q, want %q; %+v", tt.known, got, tt.want, all)
		}
	}
}

// TestGivenUp holds who is said to have given up what the client did not read: the server, where its calls show that it
// had more to send than they took, and closed while the client did not read.
func TestGivenUp(t *testing.T) {
	const cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"
	stall := &analyze.Stall{By: analyze.Client, Since: 1e9, NS: int64(wait)}
	read := *stall
	read.Ended = true
	call := func(id int, name, args string, ret int64, at time.Duration, bytes uint64) *analyze.Call {
		return &analyze.Call{Call: &event.Call{ID: id, Actor: "web[7]", Name: name, Args: args, Ret: ret, Start: event.Time(1e9).Add(at)}, Side: analyze.Server,
			Bytes: &[2]uint64{0, bytes}}
	}
	const half = wait / 2
	short, full, last := call(1, "send", "99 bytes", 60, 0, 60), call(1, "send", "60 bytes", 60, 0, 60), call(2, "close", "", 0, half, 0)
	server := []sent{{0, 0, ack, 0, get}, {0, 1, ack, len(get), cut}, {wait, 1, fin, len(get), ""}, {0, 0, fin, len(cut) + 1, ""}}
	client := []sent{server[0], server[1], {wait, 0, fin, len(cut), ""}}
	const message = "HTTP/1.1 200 OK, cut: 2 of the 9 bytes of its body came (frame 4)"
	const gave = "the server gave up sending 1.0 s after the client had stopped reading (web[7] close() #2), with 60 bytes unsent, in the middle of "
	for name, tt := range map[string]struct {
		list  []sent
		known known
		want  string
	}{
		"packets alone, the server": {server, known{stall: stall}, "the server closed after the client had read nothing for 2.0 s, in the middle of its own message: " + message},
		"packets alone, the client": {client, known{stall: stall, closer: analyze.Client},
			"the client closed, and had read nothing for 2.0 s, in the middle of the server's message: " + message +
				"; had the server given up before, its FIN would wait behind what it could not send"},
		"read again": {server, known{stall: &read}, "the server closed in the middle of its own message: " + message + "; until 0 µs before, the client had read nothing for 2.0 s"},
		"given up, then closed": {client, known{stall: stall, closer: analyze.Client, calls: []*analyze.Call{short, last}},
			gave + "the server's message: " + message + "; the client closed 1.0 s later, and had read nothing since"},
		"given up, then read": {server, known{stall: &read, calls: []*analyze.Call{short, last}},
			gave + "its own message: " + message + "; its FIN left 1.0 s later, when the client read again"},
		"killed": {client, known{stall: stall, closer: analyze.Client, calls: []*analyze.Call{short, call(2, "kill", "", 0, half, 0)}},
			"the server's process ended 1.0 s after the client had stopped reading (web[7] kill #2), with 60 bytes unsent, in the middle of the server's message: " + message +
				"; the client closed 1.0 s later, and had read nothing since"},
		"all was sent": {client, known{stall: stall, closer: analyze.Client, calls: []*analyze.Call{full, last}},
			"the client closed, and had read nothing for 2.0 s, in the middle of the server's message: " + message + "; the server had closed 1.0 s before (web[7] close() #2), with 60 bytes unsent"},
		"not closed": {client, known{stall: stall, closer: analyze.Client, calls: []*analyze.Call{short}},
			"the client closed, and had read nothing for 2.0 s, in the middle of the server's message: " + message},
	} {
		if got, _, _ := reasonOf(tt.list, nil, tt.known); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
