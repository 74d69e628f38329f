package report

import (
	"net/netip"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// start is 2026-03-01T02:00:03.123Z, when every fixture begins.
const start event.Time = 1772330403123000000

func us(n int64) event.Time { return start + event.Time(n*1000) }

// seg builds a segment at n µs.
func seg(frame uint64, n int64, from analyze.Side, flags string, seq int64, length uint32, kind analyze.Kind, root analyze.Root) *analyze.Segment {
	f, ok := event.ParseFlags(flags)
	if !ok {
		panic("fixture flags " + flags)
	}
	return &analyze.Segment{Frame: frame, Time: us(n), From: from, Flags: f, FlagText: flags, Seq: seq,
		Len: length, Window: 512, Kind: kind, Root: root}
}

func answers(s *analyze.Segment, frame uint64) *analyze.Segment { s.Answers = frame; return s }

func call(id int, n int64, actor, name, args string, ret int64, errno string, caused, by []uint64, client, server string) *analyze.Call {
	c := &analyze.Call{Connection: 1, Side: analyze.Side(actor), Caused: caused, ReturnedBy: by}
	c.Call = &event.Call{ID: id, Actor: actor, PID: 4711, TID: 4711, FD: 3, Name: name, Args: args, Ret: ret,
		Errno: errno, Start: us(n), End: us(n + 9)}
	if client != "" || server != "" {
		c.States = map[analyze.Side]string{}
		if client != "" {
			c.States[analyze.Client] = client
		}
		if server != "" {
			c.States[analyze.Server] = server
		}
	}
	return c
}

func carrying(c *analyze.Call, s string) *analyze.Call  { c.Text = s; return c }
func explained(c *analyze.Call, s string) *analyze.Call { c.Explain = s; return c }

func change(state event.TCPState, frame uint64, n int64) analyze.StateChange {
	return analyze.StateChange{State: state, Frame: frame, Time: us(n)}
}

func byCall(id int) analyze.Root { return analyze.Root{Kind: analyze.RootCall, Call: id} }
func answer(id int, frame uint64) analyze.Root {
	return analyze.Root{Kind: analyze.RootAnswer, Call: id, Frame: frame}
}

var (
	clientAddr = netip.MustParseAddrPort("127.0.0.1:40112")
	serverAddr = netip.MustParseAddrPort("127.0.0.1:50008")
)

func connection(id int) *analyze.Connection {
	return &analyze.Connection{ID: id, Client: clientAddr, Server: serverAddr, Start: us(214), End: us(900),
		FirstFrame: 3, LastFrame: 20, Ending: analyze.Graceful, Closer: analyze.Client, Confidence: analyze.Observed,
		Compat: analyze.Compat{ZeekConnState: "SF", ZeekHistory: "ShADadFf", Completeness: 31, Tcptrace: "complete"}, Warnings: []string{}}
}

func result(scenario string, connections ...*analyze.Connection) *analyze.Result {
	return &analyze.Result{Schema: 1, Tool: "closecap 0.1.0", Scenario: scenario,
		Capture:     analyze.Capture{Source: "lo", LinkType: "EN10MB", Packets: 12, Segments: 12, First: us(0), Last: us(900)},
		Kernel:      &analyze.Kernel{Release: "6.18.44", Netns: "private"},
		Connections: connections, Warnings: []string{}}
}

// halfClosed is scenario shutdown-wr: the client stops sending and goes on reading.
func halfClosed() *analyze.Result {
	c := connection(1)
	cl, sv := analyze.Client, analyze.Server
	c.Packets, c.Bytes = analyze.PerSide{Client: 6, Server: 5}, analyze.PerSide{Client: 12, Server: 12}
	c.HalfClose = &analyze.HalfClose{By: cl, NS: 310000, Bytes: 12}
	c.TimeWait = []analyze.TimeWait{{Holder: cl, Since: us(801), Until: us(801).Add(60e9), Rearmed: []uint64{}, Confidence: analyze.InKernel}}
	c.Segments = []*analyze.Segment{
		seg(3, 214, cl, "S", 0, 0, analyze.KindSyn, byCall(2)),
		answers(seg(4, 220, sv, "S.", 0, 0, analyze.KindSynAck, answer(2, 3)), 3),
		answers(seg(5, 226, cl, ".", 1, 0, analyze.KindAck, answer(2, 4)), 4),
		seg(8, 310, cl, "P.", 1, 12, analyze.KindData, byCall(7)),
		answers(seg(9, 316, sv, ".", 1, 0, analyze.KindAck, answer(7, 8)), 8),
		seg(12, 391, cl, "F.", 13, 0, analyze.KindFin, byCall(11)),
		seg(15, 500, sv, "P.", 1, 12, analyze.KindData, byCall(14)),
		answers(seg(16, 506, cl, ".", 14, 0, analyze.KindAck, answer(14, 15)), 15),
		seg(19, 700, sv, "F.", 13, 0, analyze.KindFin, byCall(18)),
		answers(seg(20, 801, cl, ".", 14, 0, analyze.KindAck, answer(18, 19)), 19),
	}
	c.Segments[5].Notes = []string{"its ACK rides on frame 15"}
	c.States = analyze.States{
		Client: []analyze.StateChange{change(event.SynSent, 3, 214), change(event.Established, 4, 220), change(event.FinWait1, 12, 391), change(event.FinWait2, 15, 500), change(event.TimeWait, 19, 700)},
		Server: []analyze.StateChange{change(event.SynRecv, 4, 220), change(event.Established, 5, 226), change(event.CloseWait, 12, 391), change(event.LastAck, 19, 700), change(event.Closed, 20, 801)},
	}
	r := result("shutdown-wr", c)
	est := "ESTABLISHED"
	r.Calls = []*analyze.Call{
		explained(call(1, 10, "server", "listen", "", 0, "", nil, nil, "", ""), "nothing on the wire: listen is local"),
		call(2, 212, "client", "connect", "", 0, "", []uint64{3, 4, 5}, []uint64{4}, est, est),
		call(6, 250, "server", "accept", "", 4, "", nil, nil, est, est),
		carrying(call(7, 309, "client", "send", "12 bytes", 12, "", []uint64{8, 9}, nil, est, est), "Hello, world"),
		carrying(call(10, 330, "server", "recv", "", 12, "", nil, []uint64{8}, est, est), "Hello, world"),
		call(11, 390, "client", "shutdown", "SHUT_WR", 0, "", []uint64{12}, nil, "FIN_WAIT1", "CLOSE_WAIT"),
		call(13, 402, "server", "recv", "", 0, "", nil, []uint64{12}, "FIN_WAIT1", "CLOSE_WAIT"),
		carrying(call(14, 499, "server", "send", "12 bytes", 12, "", []uint64{15, 16}, nil, "FIN_WAIT2", "CLOSE_WAIT"), "Hello, world"),
		carrying(call(17, 600, "client", "recv", "", 12, "", nil, []uint64{15}, "FIN_WAIT2", "CLOSE_WAIT"), "Hello, world"),
		call(18, 699, "server", "close", "", 0, "", []uint64{19, 20}, nil, "TIME_WAIT", "CLOSED"),
		explained(call(21, 850, "client", "close", "", 0, "", nil, nil, "TIME_WAIT", "CLOSED"), "nothing left to send: its FIN left with #11"),
	}
	r.Calls[2].Accepted = 4
	r.Calls[6].Blocked, r.Calls[6].End = true, us(3602)
	r.Remember = []string{"shutdown(SHUT_WR) sends FIN at once; the receive side stays open, so the server can still answer."}
	r.Explains = "half-close"
	r.Expectations = []analyze.Expectation{{At: "shutdown-wr:18", Text: "expect ending graceful", OK: true, Got: "graceful"}}
	return r
}

// sentAfterClose is scenario close: the server sends to a socket that the client has closed.
func sentAfterClose() *analyze.Result {
	c := connection(1)
	cl, sv := analyze.Client, analyze.Server
	c.Packets, c.Bytes = analyze.PerSide{Client: 5, Server: 3}, analyze.PerSide{Client: 12, Server: 12}
	c.Ending, c.Closer = analyze.WasReset, cl
	c.HalfClose = &analyze.HalfClose{By: cl, NS: 223000, Bytes: 12}
	c.Reset = &analyze.Reset{By: cl, Frame: 15, Cause: analyze.DataAfterClose, Confidence: analyze.InKernel, Trigger: 14, Call: 13,
		Why: []string{"the kernel counted TCPAbortOnData"}, Lost: analyze.Lost{AfterClose: 12, From: sv}}
	c.Segments = []*analyze.Segment{
		seg(3, 214, cl, "S", 0, 0, analyze.KindSyn, byCall(2)),
		answers(seg(4, 220, sv, "S.", 0, 0, analyze.KindSynAck, answer(2, 3)), 3),
		answers(seg(5, 226, cl, ".", 1, 0, analyze.KindAck, answer(2, 4)), 4),
		seg(8, 310, cl, "P.", 1, 12, analyze.KindData, byCall(7)),
		answers(seg(9, 316, sv, ".", 1, 0, analyze.KindAck, answer(7, 8)), 8),
		seg(11, 391, cl, "F.", 13, 0, analyze.KindFin, byCall(10)),
		seg(14, 614, sv, "P.", 1, 12, analyze.KindData, byCall(13)),
		answers(seg(15, 618, cl, "R", 14, 0, analyze.KindRst, answer(13, 14)), 14),
	}
	c.States = analyze.States{
		Client: []analyze.StateChange{change(event.SynSent, 3, 214), change(event.Established, 4, 220), change(event.FinWait1, 11, 391), change(event.Closed, 15, 618)},
		Server: []analyze.StateChange{change(event.SynRecv, 4, 220), change(event.Established, 5, 226), change(event.CloseWait, 11, 391), change(event.Closed, 15, 618)},
	}
	r := result("close", c)
	est := "ESTABLISHED"
	r.Calls = []*analyze.Call{
		call(2, 212, "client", "connect", "", 0, "", []uint64{3, 4, 5}, []uint64{4}, est, est),
		call(6, 250, "server", "accept", "", 4, "", nil, nil, est, est),
		carrying(call(7, 309, "client", "send", "12 bytes", 12, "", []uint64{8, 9}, nil, est, est), "Hello, world"),
		call(10, 390, "client", "close", "", 0, "", []uint64{11}, nil, "FIN_WAIT1", "CLOSE_WAIT"),
		explained(call(12, 450, "client", "recv", "", -1, "EBADF", nil, nil, "FIN_WAIT1", "CLOSE_WAIT"), "fd 3 was closed by #10"),
		carrying(call(13, 613, "server", "send", "12 bytes", 12, "", []uint64{14, 15}, nil, "CLOSED", "CLOSED"), "Hello, world"),
		call(16, 700, "server", "recv", "", 0, "", nil, []uint64{11}, "CLOSED", "CLOSED"),
		explained(call(17, 750, "server", "send", "12 bytes", -1, "EPIPE", nil, []uint64{15}, "CLOSED", "CLOSED"), "the RST has ended the connection"),
	}
	r.Calls[5].Bytes = &[2]uint64{0, 12}
	r.Remember = []string{"send() returning is no proof of delivery."}
	r.Explains = "reset"
	r.Expectations = []analyze.Expectation{{At: "close:21", Text: "expect time-wait client", Got: "nobody holds TIME_WAIT"}}
	return r
}
