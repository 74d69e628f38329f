package join

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Five bytes for a server that resets, and how: with what its own calls say before.
const (
	aborted = `
1 0.0010-0.0020 client connect(10.0.0.2:80) = 0
2 0.0011 client > server S seq 1000 win 64240
3 0.0012 server > client S. seq 5000 ack 1001 win 64240
4 0.0013 client > server . seq 1001 ack 5001 win 502
7 0.0040-0.0042 client send(5 bytes) = 5
8 0.0041 client > server P. seq 1001 ack 5001 len 5 win 502
9 0.0041 server > client . seq 5001 ack 1006 win 509
11 0.0051 server > client R. seq 5001 ack 1006 win 509
`
	lingered = aborted + `
5 0.0030-0.0031 server accept() = 4
6 0.0035-0.0036 server setsockopt(SO_LINGER, on, 0 s) = 0
10 0.0050-0.0052 server close() = 0 recvq=0
`
	late = `
1 0.0010-0.0020 client connect(10.0.0.2:80) = 0
2 0.0011 client > server S seq 1000 win 64240
3 0.0012 server > client S. seq 5000 ack 1001 win 64240
4 0.0013 client > server . seq 1001 ack 5001 win 502
5 0.0030-0.0031 server accept() = 4
6 0.0035-0.0036 server close() = 0 recvq=0
7 0.0036 server > client F. seq 5001 ack 1001 win 509
8 0.0036 client > server . seq 1001 ack 5002 win 502
9 0.0040-0.0042 client send(5 bytes) = 5
10 0.0041 client > server P. seq 1001 ack 5002 len 5 win 502
11 0.0042 server > client R seq 5002
`
)

// TestKernelsWord holds what the kernel's word changes, and what it leaves.
func TestKernelsWord(t *testing.T) {
	reset := func(at event.Time, reason string, socket uint64, drew *event.Offender) event.KernelEvent {
		return event.KernelEvent{Reset: &event.KernelReset{Time: at, Socket: socket, Local: storyServer, Remote: storyClient, Reason: reason, HadFile: true, Offender: drew}}
	}
	end := func(at event.Time, socket uint64, unread uint32) event.KernelEvent {
		return event.KernelEvent{Endpoint: &event.Endpoint{
			Socket: socket, Local: storyServer, Remote: storyClient, Accepted: true, HadFile: true, Unread: unread,
			Steps: []event.Transition{{State: event.Established, Time: 1_200_000}, {State: event.Closed, Time: at}},
		}}
	}
	told := func(events ...event.KernelEvent) []event.KernelEvent { return events }
	const at, reason = 5_090_000, "the kernel's reason is "
	data := &event.Offender{Flags: event.ACK | event.PSH, Seq: 1001, Ack: 5002, Len: 5}
	without := reset(at, "", 7, nil)
	without.Reset.Task = &event.Task{PID: 812, TID: 812, Comm: "nginx", Call: "close", FD: 7, Owner: true}
	fast := reset(at, "TCP_ABORT_ON_CLOSE", 7, nil) // of an MPTCP subflow
	fast.Reset.Task = without.Reset.Task
	lingers := end(at, 7, 0)
	lingers.Endpoint.Linger = true
	for name, tt := range map[string]struct {
		events  string
		kernel  []event.KernelEvent
		cause   analyze.ResetCause
		sure    analyze.Confidence
		why     string // the kernel's, "" for none
		unread  uint64
		warning string
	}{
		"nobody asked":             {aborted, nil, analyze.Aborted, analyze.Inferred, "", 0, ""},
		"an end without calls":     {aborted, told(end(at, 7, 5), reset(at, "TCP_ABORT_ON_CLOSE", 7, nil)), analyze.UnreadData, analyze.InKernel, reason + "TCP_ABORT_ON_CLOSE", 5, ""},
		"its end is not told":      {aborted, told(reset(at, "TCP_ABORT_ON_CLOSE", 7, nil)), analyze.UnreadData, analyze.InKernel, reason + "TCP_ABORT_ON_CLOSE", 0, ""},
		"another's end":            {aborted, told(end(at, 8, 5), reset(at, "TCP_ABORT_ON_CLOSE", 7, nil)), analyze.UnreadData, analyze.InKernel, reason + "TCP_ABORT_ON_CLOSE", 0, ""},
		"another time's":           {aborted, told(reset(at+200_000_000, "TCP_ABORT_ON_CLOSE", 7, nil)), analyze.Aborted, analyze.Inferred, "", 0, ""},
		"another segment's":        {late, told(reset(4_200_000, "NO_SOCKET", 0, &event.Offender{Flags: event.ACK, Seq: 1, Ack: 2, Len: 5})), analyze.DataAfterClose, analyze.Observed, "", 0, ""},
		"calls that say another":   {lingered, told(end(at, 7, 5), reset(at, "TCP_ABORT_ON_CLOSE", 7, nil)), analyze.UnreadData, analyze.InKernel, reason + "TCP_ABORT_ON_CLOSE", 5, "packets and calls say linger-zero of the RST in frame 11, the kernel says unread-data"},
		"MPTCP with SO_LINGER 0":   {lingered, told(lingers, fast), analyze.LingerZero, analyze.InKernel, reason + "TCP_ABORT_ON_CLOSE", 0, ""},
		"a kernel without reasons": {aborted, told(end(at, 7, 5), without), analyze.UnreadData, analyze.InKernel, "nginx[812] close left 5 bytes unread", 5, ""},
		"a coarser word":           {lingered, told(reset(at, "TCP_STATE", 7, nil)), analyze.LingerZero, analyze.Observed, reason + "TCP_STATE", 0, ""},
		"no socket there":          {late, told(reset(4_200_000, "NO_SOCKET", 0, data)), analyze.DataAfterClose, analyze.Observed, reason + "NO_SOCKET", 0, ""},
		"data for its own":         {late, told(reset(4_200_000, "TCP_ABORT_ON_DATA", 7, data)), analyze.DataAfterClose, analyze.InKernel, reason + "TCP_ABORT_ON_DATA", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := parseEvents(t, tt.events)
			rec.Run.SameHost, rec.Kernel = true, tt.kernel
			res := Join(rec, analyze.Options{})
			for _, err := range analyze.Validate(res) {
				t.Errorf("validate: %v", err)
			}
			c := res.Connections[0]
			r := c.Reset
			why := slices.ContainsFunc(r.Why, func(w string) bool { return strings.HasPrefix(w, reason) })
			if r.Cause != tt.cause || r.Confidence != tt.sure || r.Lost.Unread != tt.unread || tt.why == "" && why || tt.why != "" && !slices.Contains(r.Why, tt.why) {
				t.Errorf("%s, %s, %d unread, %q, want %s, %s, %d unread, %q", r.Cause, r.Confidence, r.Lost.Unread, r.Why, tt.cause, tt.sure, tt.unread, tt.why)
			}
			if r.Confidence == analyze.InKernel && slices.ContainsFunc(c.Candidates, func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCause }) {
				t.Errorf("candidates beside the kernel's word: %+v", c.Candidates)
			}
			if got := strings.Join(c.Warnings, "; "); got != tt.warning {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
		})
	}
}

// TestLeftUnread counts what was unread when a socket was let go that the peer had ended.
func TestLeftUnread(t *testing.T) {
	rec := parseEvents(t, strings.ReplaceAll(aborted, "server > client R.", "client > server R.")+"12 0.0060 client > server R seq 1006")
	rec.Segments = slices.DeleteFunc(rec.Segments, func(s event.Segment) bool { return s.Frame == 11 })
	rec.Kernel = []event.KernelEvent{
		{Endpoint: &event.Endpoint{Socket: 7, Local: storyServer, Remote: storyClient, Held: true, Unread: 5, ResetIn: 6_000_000,
			Steps: []event.Transition{{State: event.Established, Time: 1_200_000}, {State: event.Closed, Time: 6_000_000}}}},
		{Release: &event.Release{Time: 7_000_000, Socket: 7, Unread: 3}},
	}
	for _, want := range []uint64{3, 0} { // then it is not told
		c := Join(rec, analyze.Options{}).Connections[0]
		if all := c.LostBytes(); all.Unread != want {
			t.Errorf("lost %+v, want %d unread", all, want)
		}
		rec.Kernel = rec.Kernel[:1]
	}
}

// TestManyResets holds finding each RST's event to about one step.
func TestManyResets(t *testing.T) {
	rec := parseEvents(t, aborted)
	const n = 200_000
	for i := range event.Time(n) {
		s := rec.Segments[len(rec.Segments)-1]
		s.Frame, s.Time = uint64(100+i), s.Time+i
		rec.Segments = append(rec.Segments, s)
		rec.Kernel = append(rec.Kernel, event.KernelEvent{Reset: &event.KernelReset{Time: s.Time, Local: storyServer, Remote: storyClient}})
	}
	if got := len(listen(rec).resets); got < n {
		t.Errorf("%d of %d RSTs found", got, n)
	}
}

// TestSubflowsUnread: a subflow has nothing unread, since MPTCP takes what it received. What the close of its
// socket left is what calls say.
func TestSubflowsUnread(t *testing.T) {
	b, err := os.ReadFile("testdata/joins/mptcp-unread.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, events, _ := strings.Cut(string(b), "-- events --\n")
	events, _, _ = strings.Cut(events, "-- want --")
	rec := parseEvents(t, events)
	rec.Kernel = []event.KernelEvent{
		{Reset: &event.KernelReset{Time: 100_090_000, Socket: 7, Local: storyServer, Remote: storyClient, Reason: "TCP_ABORT_ON_CLOSE"}},
		{Endpoint: &event.Endpoint{Socket: 7, Local: storyServer, Remote: storyClient,
			Steps: []event.Transition{{State: event.Established, Time: 1_200_000}, {State: event.Closed, Time: 100_100_000}}}},
	}
	if r := Join(rec, analyze.Options{}).Connections[0].Reset; r.Confidence != analyze.InKernel || r.Lost.Unread != 9 {
		t.Errorf("%s, %d bytes unread, want the kernel's word and 9", r.Confidence, r.Lost.Unread)
	}
}
