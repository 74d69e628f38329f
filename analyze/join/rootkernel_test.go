package join

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const (
	// The client closes in one of two threads; the server, which has no calls, closes then.
	twoClose = `
1 0.0010-0.0020 client connect(10.0.0.2:80) = 0 tid=100
2 0.0011 client > server S seq 1000 win 64240
3 0.0012 server > client S. seq 5000 ack 1001 win 64240
4 0.0013 client > server . seq 1001 ack 5001 win 502
5 0.0030-0.0040 client shutdown(SHUT_WR) = 0 tid=100
6 0.0031-0.0041 client shutdown(SHUT_WR) = 0 tid=101
7 0.0035 client > server F. seq 1001 ack 5001 win 502
8 0.0050 server > client F. seq 5001 ack 1002 win 509
9 0.0051 client > server . seq 1002 ack 5002 win 502
`
	// The server's close() throws five bytes away while six others come, and a FIN.
	closing = aborted + `
10 0.0050-0.0056 server close() = 0 recvq=5 tid=200
12 0.0052 client > server P. seq 1006 ack 5001 len 6 win 502
13 0.0053 server > client R seq 5001
`
)

// TestKernelRoots holds what the kernel's word says of why a FIN or an RST was sent.
func TestKernelRoots(t *testing.T) {
	const finAt, rstAt, lateAt = 3_400_000, 5_090_000, 5_290_000
	task := func(tid int, call string) *event.Task {
		return &event.Task{PID: tid / 100 * 100, TID: tid, Comm: "a", Call: call, FD: 3, Owner: true}
	}
	queued := func(by *event.Task) event.KernelEvent {
		return event.KernelEvent{Endpoint: &event.Endpoint{Socket: 1, Local: storyClient, Remote: storyServer, Connected: true, Fin: by,
			Steps: []event.Transition{{State: event.Established, Time: 1_200_000}, {State: event.FinWait1, Time: finAt}, {State: event.Closed, Time: 5_200_000}}}}
	}
	sent := func(at event.Time, by *event.Task, reason string, drew *event.Offender) event.KernelEvent {
		return event.KernelEvent{Reset: &event.KernelReset{Time: at, Local: storyServer, Remote: storyClient, Reason: reason, HadFile: true, Task: by, Offender: drew}}
	}
	bystander := task(200, "close")
	bystander.Owner = false
	call := func(id int) analyze.Root {
		return analyze.Root{Kind: analyze.RootCall, Call: id, Confidence: analyze.InKernel}
	}
	for name, tt := range map[string]struct {
		events  string
		kernel  event.KernelEvent
		frame   uint64
		want    analyze.Root
		warning string
	}{
		"the call that time suggests": {twoClose, queued(task(100, "shutdown")), 7, call(5), ""},
		"another thread's":            {twoClose, queued(task(101, "shutdown")), 7, call(6), "#5 shutdown() led to frame 7, the kernel says #6"},
		"no recorded call's": {twoClose, queued(task(900, "shutdown")), 7,
			analyze.Root{Kind: analyze.RootCall, Call: 5, Confidence: analyze.Observed}, ""},
		"the other end's": {twoClose, event.KernelEvent{Endpoint: &event.Endpoint{Local: storyServer, Remote: storyClient, Accepted: true, Fin: task(900, "close"),
			Steps: []event.Transition{{State: event.Established, Time: 1_200_000}, {State: event.LastAck, Time: 4_990_000}, {State: event.Closed, Time: 5_200_000}}}}, 8,
			analyze.Root{Kind: analyze.RootRemote, Confidence: analyze.InKernel, Why: "a[900] close"}, ""},
		"an abort":                {closing, sent(rstAt, task(200, "close"), "TCP_ABORT_ON_CLOSE", nil), 11, call(10), ""},
		"clocks a little apart":   {closing, sent(4_990_000, task(200, "close"), "TCP_ABORT_ON_CLOSE", nil), 11, call(10), ""},
		"its thread in no call":   {aborted, sent(rstAt, task(200, "close"), "TCP_ABORT_ON_CLOSE", nil), 11, analyze.Root{Kind: analyze.RootRemote, Confidence: analyze.InKernel, Why: "a[200] close"}, ""},
		"an answer while it runs": {closing, sent(lateAt, bystander, "NO_SOCKET", &event.Offender{Flags: event.PSH | event.ACK, Seq: 1006, Ack: 5001, Len: 6}), 13, analyze.Root{Kind: analyze.RootAnswer, Frame: 12, Confidence: analyze.InKernel}, ""},
		"a timer":                 {aborted, sent(rstAt, bystander, "TCP_KEEPALIVE_TIMEOUT", nil), 11, analyze.Root{Kind: analyze.RootTimer, Timer: "keepalive", Confidence: analyze.InKernel}, ""},
		"a bystander":             {closing, sent(rstAt, bystander, "TCP_STATE", nil), 11, analyze.Root{Kind: analyze.RootCall, Call: 10, Confidence: analyze.Observed}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := parseEvents(t, tt.events)
			rec.Run.SameHost, rec.Kernel = true, []event.KernelEvent{tt.kernel}
			res := Join(rec, analyze.Options{})
			for _, err := range analyze.Validate(res) {
				t.Errorf("validate: %v", err)
			}
			c := res.Connections[0]
			for _, l := range c.LikelyCalls {
				if l.Frame == tt.frame {
					t.Errorf("likely %s %s beside %+v", l.Side, l.Call, tt.want)
				}
			}
			for _, s := range c.Segments {
				if s.Frame != tt.frame {
					continue
				}
				if r := s.Root; r.Kind != tt.want.Kind || r.Call != tt.want.Call || r.Frame != tt.want.Frame || r.Timer != tt.want.Timer ||
					r.Confidence != tt.want.Confidence || r.Why != tt.want.Why {
					t.Errorf("root %+v, want %+v", r, tt.want)
				}
			}
			warnings := ""
			for _, w := range c.Warnings {
				if strings.Contains(w, "led to frame") {
					warnings += w
				}
			}
			if !strings.Contains(warnings, tt.warning) || tt.warning == "" && warnings != "" {
				t.Errorf("warnings %q, want %q", warnings, tt.warning)
			}
		})
	}
}
