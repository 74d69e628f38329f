package pcaps_test

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

// truth is what the kernel said of one connection: see testdata/kernel.txt.
type truth struct {
	port   uint16
	states []string
	sent   []string
	took   bool
	what   string
}

// causes lists what may be said of an RST for each reason that the kernel had to send it. On
// the wire, aborts of several causes look alike.
var causes = map[string][]analyze.ResetCause{
	"NO_SOCKET":                {analyze.NoSocket, analyze.ConnRefused, analyze.DataAfterClose},
	"TCP_ABORT_ON_CLOSE":       {analyze.UnreadData, analyze.Aborted},
	"TCP_ABORT_ON_DATA":        {analyze.DataAfterClose, analyze.Linger2, analyze.NoSocket},
	"TCP_ABORT_ON_LINGER":      {analyze.Linger2, analyze.Aborted},
	"TCP_INVALID_ACK_SEQUENCE": {analyze.NoSocket},
	"TCP_KEEPALIVE_TIMEOUT":    {analyze.KeepaliveTimeout},
	"TCP_STATE":                {analyze.LingerZero, analyze.ListenerClosed, analyze.Disconnect, analyze.Aborted},
	"TCP_TIMEWAIT_SOCKET":      {analyze.DataAfterClose, analyze.ConnRefused, analyze.TimeWaitReset, analyze.NoSocket},
}

// TestKernelsWord holds what is inferred from packets alone to what the kernel said of its end:
// every kind of segment in every state, and the ways to close, to abort and to give up.
func TestKernelsWord(t *testing.T) {
	captures := readCaptures(t)
	for _, want := range readTruths(t) {
		t.Run(want.what, func(t *testing.T) {
			for _, all := range []bool{false, true} {
				var res analyze.Result
				f := flows.NewFollower(analyze.Options{AllSegments: all}, func(c *analyze.Connection) {
					res.Connections = append(res.Connections, c)
				})
				f.Segments(captures[want.port])
				f.Finish()
				for _, err := range analyze.Validate(&res) {
					t.Error(err)
				}
				want.compare(t, res.Connections)
			}
		})
	}
}

// compare holds the connections of one 4-tuple, in their order, to the kernel's word.
func (w *truth) compare(t *testing.T, conns []*analyze.Connection) {
	var states []string
	var resets [][]analyze.ResetCause
	var tookOne bool
	for _, c := range conns {
		local := kernelSide(c)
		for _, ch := range *c.States.Of(local) {
			states = append(states, ch.State.String())
		}
		if c.Reset != nil && c.Reset.By == local {
			// A single probe's answer may be missing, and a server that never got beyond SYN_RECV looks as if
			// no socket were there: such a cause is no more than a candidate.
			said := []analyze.ResetCause{c.Reset.Cause}
			for _, may := range c.Candidates {
				if may.Claim == analyze.ClaimCause && (said[0] == analyze.Aborted || said[0] == analyze.UnknownCause) {
					said = append(said, analyze.ResetCause(may.Value))
				}
			}
			resets = append(resets, said)
		}
		tookOne = tookOne || c.Reset != nil && c.Reset.By == local.Other()
	}
	rest := w.states
	for _, st := range states {
		if len(rest) > 0 && rest[0] == st {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 || len(states) > 0 && len(w.states) > 0 && states[len(states)-1] != w.states[len(w.states)-1] {
		t.Errorf("port %d: states %v, the kernel's %v", w.port, states, w.states)
	}
	if w.took && !tookOne {
		t.Errorf("port %d: no reset by the peer, the kernel took one", w.port)
	}
	for _, said := range resets {
		agrees := func(cause analyze.ResetCause) bool {
			return slices.ContainsFunc(w.sent, func(why string) bool { return slices.Contains(causes[why], cause) })
		}
		if len(w.sent) > 0 && !slices.ContainsFunc(said, agrees) {
			t.Errorf("port %d: reset cause %s, the kernel's %v", w.port, said, w.sent)
		}
	}
	if closer := w.closer(conns); closer != analyze.NoSide && conns[0].Closer == closer.Other() {
		t.Errorf("port %d: closer %s, the kernel's states say %s", w.port, conns[0].Closer, closer)
	}
	if len(w.sent) > 0 && len(resets) == 0 && w.states[len(w.states)-1] == event.Closed.String() {
		t.Errorf("port %d: no reset by the kernel's end, it sent one for %v", w.port, w.sent)
	}
}

// closer returns which end of a single connection closed first, by the first state that the
// kernel's end left ESTABLISHED for.
func (w *truth) closer(conns []*analyze.Connection) analyze.Side {
	if len(conns) != 1 {
		return analyze.NoSide
	}
	local := kernelSide(conns[0])
	for _, st := range w.states {
		switch st {
		case event.FinWait1.String():
			return local
		case event.CloseWait.String():
			return local.Other()
		}
	}
	return analyze.NoSide
}

// kernelSide returns the end of c that the kernel had.
func kernelSide(c *analyze.Connection) analyze.Side {
	if c.Client.Addr().IsPrivate() {
		return analyze.Client
	}
	return analyze.Server
}

// readCaptures returns the segments of each connection: each was captured by itself.
func readCaptures(t *testing.T) map[uint16][]event.Segment {
	t.Helper()
	const name = "testdata/kernel.pcap.gz"
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rec, err := intake.ReadRecording(t.Context(), pcapfile.NewReader(file, name, pcapfile.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	captures := map[uint16][]event.Segment{}
	for _, s := range rec.Segments {
		port := max(s.Src.Port(), s.Dst.Port())
		captures[port] = append(captures[port], s)
	}
	return captures
}

func readTruths(t *testing.T) []truth {
	t.Helper()
	file, err := os.Open("testdata/kernel.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var truths []truth
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cols := strings.Split(lines.Text(), "\t")
		if len(cols) != 5 {
			t.Fatalf("%q has %d columns, want 5", lines.Text(), len(cols))
		}
		port, err := strconv.ParseUint(cols[0], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		truths = append(truths, truth{uint16(port), list(cols[1]), list(cols[2]), cols[3] == "yes", cols[4]})
	}
	if err := lines.Err(); err != nil || len(truths) == 0 {
		t.Fatalf("no truths: %v", err)
	}
	return truths
}

// list splits a column; "-" is an empty one.
func list(column string) []string {
	if column == "-" {
		return nil
	}
	return strings.Split(column, ",")
}
