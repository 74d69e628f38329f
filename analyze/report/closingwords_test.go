package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

func TestClosingSentences(t *testing.T) {
	const ms = event.Time(1e6)
	call := func(id int, name, args, errno string, ret int64, from, to event.Time) *analyze.Call {
		return &analyze.Call{Side: analyze.Server, Call: &event.Call{ID: id, Actor: "web", Name: name, Args: args, Errno: errno, Ret: ret, FD: 4, Start: from, End: to}}
	}
	fin := &analyze.Segment{Frame: 8, From: analyze.Server, Time: 20 * ms, Kind: analyze.KindFin, Seq: 7, Flags: event.FIN | event.ACK}
	ack := func(at event.Time) *analyze.Segment {
		return &analyze.Segment{Frame: 9, From: analyze.Client, Time: at, Kind: analyze.KindAck, Ack: 8, Flags: event.ACK}
	}
	shared := call(2, "close", "", "", 0, 10*ms, 11*ms)
	shared.Holders = []event.Holder{{PID: 9, FD: 4}}
	cut := call(1, "close", "", "", -1, 20*ms, 0)
	cut.Abandoned, cut.Signal = 900*ms, "SIGKILL"
	interrupted := call(1, "close", "", "", 0, 20*ms, 900*ms)
	interrupted.Signal = "SIGALRM"
	for name, tt := range map[string]struct {
		segments []*analyze.Segment
		calls    []*analyze.Call
		want     []string
	}{
		"quick":       {[]*analyze.Segment{fin}, []*analyze.Call{call(1, "close", "", "", 0, 20*ms, 21*ms)}, nil},
		"lingers":     {[]*analyze.Segment{fin, ack(900 * ms)}, []*analyze.Call{call(1, "close", "", "", 0, 20*ms, 900*ms)}, []string{"web close() #1 took 880.0 ms: until frame 9 acknowledged the FIN."}},
		"in vain":     {[]*analyze.Segment{fin, ack(2000 * ms)}, []*analyze.Call{call(1, "close", "", "", 0, 20*ms, 900*ms)}, []string{"web close() #1 took 880.0 ms, and returned before its FIN was acknowledged."}},
		"not sent":    {[]*analyze.Segment{fin}, []*analyze.Call{call(1, "close", "", "", 0, -980*ms, 19*ms)}, []string{"web close() #1 took 999.0 ms, and returned before its FIN (frame 8) left."}},
		"killed":      {[]*analyze.Segment{fin, ack(2000 * ms)}, []*analyze.Call{cut}, []string{"web close() #1 did not return: SIGKILL ended its thread after 880.0 ms, before its FIN was acknowledged."}},
		"interrupted": {[]*analyze.Segment{fin, ack(2000 * ms)}, []*analyze.Call{interrupted}, []string{"web close() #1 took 880.0 ms: SIGALRM ended its wait before its FIN was acknowledged."}},
		"in time":     {[]*analyze.Segment{fin, ack(900 * ms)}, []*analyze.Call{interrupted}, []string{"web close() #1 took 880.0 ms: until frame 9 acknowledged the FIN."}},
		"gave up":     {nil, []*analyze.Call{call(1, "recv", "99 bytes", "ETIMEDOUT", -1, 0, 900*ms)}, []string{"web recv() #1 got ETIMEDOUT after 900.0 ms."}},
		"short":       {nil, []*analyze.Call{call(1, "send", "99 bytes", "", 40, 0, 1), call(2, "close", "", "", 0, 10*ms, 11*ms)}, []string{"web send(99 bytes) #1 took only 40 bytes, and web close() #2 came next: the kernel never got the rest."}},
		"sent on":     {nil, []*analyze.Call{call(1, "send", "99 bytes", "", 40, 0, 1), call(2, "send", "59 bytes", "", 59, 2, 3), call(3, "close", "", "", 0, 10*ms, 11*ms)}, nil},
		"still held":  {nil, []*analyze.Call{call(1, "send", "99 bytes", "", 40, 0, 1), shared}, nil},
		"size hidden": {nil, []*analyze.Call{call(1, "send", `"GET /"`, "", 5, 0, 1), call(2, "close", "", "", 0, 10*ms, 11*ms)}, nil},
	} {
		c := &analyze.Connection{Segments: tt.segments}
		if diff := cmp.Diff(tt.want, closingSentences(c, tt.calls)); diff != "" {
			t.Errorf("%s: closingSentences (-want +got):\n%s", name, diff)
		}
	}
}
