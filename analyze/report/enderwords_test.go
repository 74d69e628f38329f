package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

func TestEnderSentences(t *testing.T) {
	const second = event.Time(1e9)
	call := func(id int, actor, name, args string, at event.Time) *analyze.Call {
		return &analyze.Call{Side: analyze.Server, Call: &event.Call{ID: id, Actor: actor, Name: name, Args: args, FD: 4, Start: at, End: at + 1}}
	}
	held := call(1, "web[7]", "close", "", second)
	held.Holders = []event.Holder{{PID: 9, FD: 4, Actor: "sleep[9]"}}
	alone := call(1, "web[7]", "close", "", second)
	ring := call(1, "web[7]", "close", "", second)
	ring.Ring = true
	exit := call(2, "sleep[9]", "exit", "0", 3*second)
	fin := func(root analyze.Root) *analyze.Connection {
		s := &analyze.Segment{Frame: 8, From: analyze.Server, Time: 3 * second, Kind: analyze.KindFin, Root: root}
		return &analyze.Connection{Segments: []*analyze.Segment{s}}
	}
	byCall := func(id int) *analyze.Connection { return fin(analyze.Root{Kind: analyze.RootCall, Call: id}) }
	for name, tt := range map[string]struct {
		conn  *analyze.Connection
		calls []*analyze.Call
		want  []string
	}{
		"own close":    {byCall(1), []*analyze.Call{alone}, nil},
		"no calls":     {fin(analyze.Root{Kind: analyze.RootUnknown}), nil, nil},
		"exit":         {byCall(2), []*analyze.Call{exit}, []string{"sleep[9] exit 0 #2 sent the server's FIN (frame 8)."}},
		"last holder":  {byCall(2), []*analyze.Call{held, exit}, []string{"web[7] close() #1 did not end it, since the socket had another holder: sleep[9] exit 0 #2 sent the server's FIN (frame 8) 2.0 s later."}},
		"not recorded": {fin(analyze.Root{Kind: analyze.RootUnknown}), []*analyze.Call{alone}, []string{"web[7] close() #1 did not end it: the server's FIN (frame 8) left 2.0 s later. What sent it was not recorded."}},
		"io_uring": {fin(analyze.Root{Kind: analyze.RootUnknown, Confidence: analyze.InKernel}), []*analyze.Call{ring},
			[]string{"web[7] close() #1 did not end it: the server's FIN (frame 8) left 2.0 s later, when the io_uring of web[7] let the socket go."}},
		"perhaps io_uring": {fin(analyze.Root{Kind: analyze.RootUnknown}), []*analyze.Call{ring},
			[]string{"web[7] close() #1 did not end it: the server's FIN (frame 8) left 2.0 s later, probably when the io_uring of web[7] let the socket go."}},
		"io_uring until the exit": {byCall(2), []*analyze.Call{ring, exit},
			[]string{"web[7] close() #1 did not end it, since a request in io_uring held the socket: sleep[9] exit 0 #2 sent the server's FIN (frame 8) 2.0 s later."}},
		"closed by io_uring": {fin(analyze.Root{Kind: analyze.RootUnknown, Confidence: analyze.InKernel, Why: "web[7] ended it through io_uring"}), nil,
			[]string{"The server's FIN (frame 8): web[7] ended it through io_uring."}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, enderSentences(tt.conn, tt.calls)); diff != "" {
				t.Errorf("enderSentences (-want +got):\n%s", diff)
			}
		})
	}
}
