package report

import (
	"net/netip"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// lostFin is a run in which the client's FIN is lost once and its kernel sends it again.
func lostFin() *analyze.Result {
	cl, sv := analyze.Client, analyze.Server
	c := connection(1)
	c.TimeWait = []analyze.TimeWait{{Holder: cl, Since: us(206500), Until: us(206500).Add(60e9), Rearmed: []uint64{12, 13}}}
	c.Retransmits.Client = 1
	again := seg(6, 206391, cl, "F.", 1, 0, analyze.KindFin, analyze.Root{Kind: analyze.RootTimer, Timer: "retransmit", Frame: 5})
	again.Retransmits = 5
	c.Segments = []*analyze.Segment{
		seg(2, 214, cl, "S", 0, 0, analyze.KindSyn, byCall(1)),
		answers(seg(3, 220, sv, "S.", 0, 0, analyze.KindSynAck, answer(1, 2)), 2),
		seg(5, 391, cl, "F.", 1, 0, analyze.KindFin, byCall(4)),
		again,
		answers(seg(7, 206400, sv, ".", 1, 0, analyze.KindAck, analyze.Root{Kind: analyze.RootAnswer, Frame: 6}), 6),
		seg(9, 206450, sv, "F.", 1, 0, analyze.KindFin, byCall(8)),
		answers(seg(10, 206460, cl, ".", 2, 0, analyze.KindAck, answer(8, 9)), 9),
		seg(11, 206500, sv, ".", 1, 0, analyze.KindKeepalive, analyze.Root{Kind: analyze.RootUnknown}),
	}
	c.Segments[7].Ignored = "its sender is in CLOSED"
	c.Segments[2].Lost = "not acknowledged before frame 6 repeats it"
	r := result("lost-fin", c)
	r.Calls = []*analyze.Call{
		call(1, 212, "client", "connect", "", 0, "", []uint64{2, 3}, []uint64{3}, "ESTABLISHED", "ESTABLISHED"),
		call(4, 390, "client", "close", "", 0, "", []uint64{5}, nil, "FIN_WAIT1", "ESTABLISHED"),
		call(8, 206449, "server", "close", "", 0, "", []uint64{9, 10}, nil, "TIME_WAIT", "CLOSED"),
	}
	r.Calls[1].Note = "drop client FIN is in force"
	r.Capture.Unattributed = 1
	r.Warnings = []string{"the capture lost 2 packets: what is missing may be lost here only"}
	return r
}

// transfer is a long transfer whose middle says nothing about the ending.
func transfer() *analyze.Result {
	cl, sv := analyze.Client, analyze.Server
	c := connection(1)
	c.Ending, c.Closer, c.Confidence = analyze.Open, analyze.NoSide, analyze.Observed
	frame := uint64(1)
	for i := range int64(20) {
		c.Segments = append(c.Segments, seg(frame, 300+i*10, cl, "P.", 1+i*1448, 1448, analyze.KindData, analyze.Root{}))
		c.Segments = append(c.Segments, answers(seg(frame+1, 304+i*10, sv, ".", 1, 0, analyze.KindAck, analyze.Root{}), frame))
		frame += 2
	}
	c.Segments[21].Kind, c.Segments[21].Window = analyze.KindWindow, 0
	repeat := seg(frame, 200300, cl, "P.", 1+19*1448, 1448, analyze.KindData, analyze.Root{Kind: analyze.RootTimer, Timer: "retransmit"})
	repeat.Retransmits = 39
	c.Segments = append(c.Segments, repeat)
	c.States.Client = []analyze.StateChange{change(event.Established, 1, 300)}
	c.States.Server = []analyze.StateChange{change(event.Established, 1, 300)}
	c.Omitted = 4711
	c.Guessed = true
	c.Warnings = []string{"the capture starts in the middle of this connection"}
	r := result("", c)
	r.Kernel, r.Capture.Source = nil, "transfer.pcapng"
	return r
}

// hostile carries what an attacker may put into names, arguments and payloads.
func hostile() *analyze.Result {
	const evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066|<script>*_`\xff\r\n=cmd|' /C calc'!A0"
	r := sentAfterClose()
	r.Scenario, r.Capture.Source, r.Kernel.Release = evil, evil, "6\x1b[31m"
	r.Remember, r.Explains, r.Warnings = []string{evil}, evil, []string{evil}
	r.Expectations = []analyze.Expectation{{At: evil, Text: evil, Got: evil}}
	c := r.Connections[0]
	c.Why, c.Warnings, c.Reset.Why = []string{evil}, []string{evil, "=1+1"}, []string{evil}
	c.Segments[3].Notes, c.Segments[4].Ignored = []string{evil}, evil
	for _, call := range r.Calls {
		call.Actor, call.Args, call.Text, call.Note, call.Explain = evil, evil, evil, evil, evil
		call.States = map[analyze.Side]string{analyze.Client: evil, analyze.Server: "CLOSED"}
	}
	r.Calls[4].Errno, r.Calls[1].Name = evil, evil
	return r
}

// several is a run with two connections, one of them IPv6 and closed by both at once.
func several() *analyze.Result {
	r := sentAfterClose()
	cl, sv := analyze.Client, analyze.Server
	c := connection(2)
	c.Client, c.Server = netip.MustParseAddrPort("[2001:db8::1]:40113"), netip.MustParseAddrPort("[2001:db8::2]:50008")
	c.Closer, c.Simultaneous = analyze.Both, true
	until := us(1130).Add(60e9)
	c.TimeWait = []analyze.TimeWait{{Holder: cl, Since: us(1130), Until: until}, {Holder: sv, Since: us(1130), Until: until, EndedBy: "reuse", EndFrame: 31}}
	c.Segments = []*analyze.Segment{
		seg(21, 1100, cl, "F.", 1, 0, analyze.KindFin, byCall(20)),
		seg(23, 1120, sv, "FP.", 1, 4, analyze.KindFin, byCall(22)),
		answers(seg(24, 1126, cl, ".", 2, 0, analyze.KindAck, answer(22, 23)), 23),
		answers(seg(25, 1130, sv, ".", 6, 0, analyze.KindAck, answer(20, 21)), 21),
	}
	c.States = analyze.States{
		Client: []analyze.StateChange{change(event.FinWait1, 21, 1100), change(event.Closing, 24, 1126), change(event.TimeWait, 25, 1130)},
		Server: []analyze.StateChange{change(event.FinWait1, 23, 1120), change(event.Closing, 25, 1130), change(event.TimeWait, 25, 1130)},
	}
	one := call(20, 1099, "client", "close", "", 0, "", []uint64{21, 25}, nil, "FIN_WAIT1", "ESTABLISHED")
	two := call(22, 1119, "server", "close", "", 0, "", []uint64{23, 24}, nil, "TIME_WAIT", "TIME_WAIT")
	one.Connection, two.Connection = 2, 2
	one.Thread, one.End = true, 0
	r.Calls = append(r.Calls, one, two)
	r.Connections = append(r.Connections, c)
	return r
}

// withoutKernel is r as it would be without a kernel to ask.
func withoutKernel(r *analyze.Result) *analyze.Result {
	r.Kernel = nil
	for _, c := range r.Calls {
		c.States = nil
	}
	return r
}
