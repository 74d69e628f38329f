package join

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// explain says of each call why it put nothing on the wire, or why it returned what no
// segment explains. A call that speaks for itself gets no words.
func (l *linker) explain() {
	closed := map[holderKey]*analyze.Call{} // the last call that closed a descriptor
	listening := map[uint16]bool{}          // ports
	for _, c := range l.res.Calls {
		if k := c.Kind(); k == event.ListenCall || k == event.AcceptCall {
			listening[c.Local.Port()] = true
		}
	}
	for _, c := range l.res.Calls {
		if c.Errno == "EBADF" {
			c.Explain = whyBadFD(c, closed[keyOf(c)])
		} else if lc := l.byID[c.Connection]; lc != nil {
			c.Explain = why(lc, c)
		} else {
			c.Explain = whyAlone(c, listening[c.Local.Port()])
		}
		if c.Kind() == event.CloseCall && c.Errno == "" {
			closed[keyOf(c)] = c
		}
	}
}

func why(lc *linked, c *analyze.Call) string {
	if c.End == 0 && c.Abandoned == 0 {
		return "had not returned when the recording ended"
	}
	if c.End == 0 && c.Kind() != event.CloseCall {
		return "" // its note says what ended it
	}
	switch c.Kind() {
	case event.CloseCall:
		return lc.whyClose(c)
	case event.ShutdownCall:
		return lc.whyShutdown(c)
	case event.RecvCall:
		return lc.whyRecv(c)
	case event.SendCall:
		return lc.whySend(c)
	case event.AcceptCall:
		if c.Errno == "" {
			return "nothing on the wire: the kernel had completed the handshake"
		}
	}
	return ""
}

func whyBadFD(c, closed *analyze.Call) string {
	if closed == nil {
		return "the descriptor is not open in this process"
	}
	return fmt.Sprintf("this process gave up fd %d with #%d; nothing was asked of the connection", c.FD, closed.ID)
}

// whyAlone speaks of closes of sockets without a peer.
func whyAlone(c *analyze.Call, listening bool) string {
	if c.Kind() != event.CloseCall {
		return ""
	}
	alone := "nothing on the wire: this socket has no peer"
	if listening {
		alone = "nothing on the wire: a listening socket has no peer"
	}
	switch {
	case isListening(c) && len(c.Holders) > 0:
		return alone + "; " + holdersOf(c)
	case len(c.Holders) > 0:
		return stillHeld(c)
	case isUncaptured(c):
		return "no packet of this connection was captured"
	case isListening(c) && len(c.Caused) == 0:
		return alone
	}
	return ""
}

func stillHeld(c *analyze.Call) string { return "no FIN: " + holdersOf(c) }

func holdersOf(c *analyze.Call) string {
	var who []string
	for _, h := range c.Holders {
		who = append(who, fmt.Sprintf("%s still holds this socket as fd %d", holderName(h), h.FD))
	}
	return strings.Join(who, "; ")
}

// holderName names a process; the actor's name often holds the pid already.
func holderName(h event.Holder) string {
	pid := strconv.Itoa(h.PID)
	if strings.Contains(h.Actor, pid) {
		return h.Actor
	}
	if h.Actor == "" {
		return "pid " + pid
	}
	return h.Actor + ", pid " + pid
}

func (lc *linked) whyClose(c *analyze.Call) string {
	if len(c.Caused) > 0 || c.Errno != "" {
		return ""
	}
	if r := lc.rstBefore(c); r != nil {
		return fmt.Sprintf("nothing on the wire: %s had ended the connection", frameText(r))
	}
	if k := lc.callsOf(timeouts, c.Side).before(c); k != nil && k.End <= c.Start {
		return fmt.Sprintf("nothing on the wire: the kernel had given the connection up (#%d)", k.ID)
	}
	if k := lc.callsOf(writeEnders, c.Side).before(c); k != nil {
		return fmt.Sprintf("nothing on the wire: the %s went out with #%d", lc.end(), k.ID)
	}
	if len(c.Holders) > 0 {
		return stillHeld(c)
	}
	if lc.heldAfter(c) && c.Ring {
		return "no FIN: no descriptor of this socket is left, but a request in the io_uring of " + c.Actor + " may hold it"
	}
	if lc.heldAfter(c) {
		return "no FIN: something that is no descriptor still holds this socket, as a pending io_uring request or a descriptor on its way through a Unix socket does"
	}
	if fin := lc.ends(c.Side).firstFrom(c.End); fin != nil {
		return fmt.Sprintf("the %s waited: it is frame %d", lc.end(), fin.Frame)
	}
	if why := lc.whyQueued(c.Side); why != "" {
		return why
	}
	if k := lc.callsOf(anyCalls, c.Side).lastAt(c.Start, func(k *analyze.Call) bool { return k.TID != c.TID }); k != nil {
		return fmt.Sprintf("no FIN: #%d %s() still uses the socket", k.ID, k.Name)
	}
	return ""
}

func (lc *linked) whyShutdown(c *analyze.Call) string {
	switch {
	case c.Errno == "ENOTCONN":
		if r := lc.rstBefore(c); r != nil {
			return fmt.Sprintf("%s had ended the connection", frameText(r))
		}
		return "the socket is not connected"
	case len(c.Caused) > 0 || c.Errno != "":
		return ""
	case shutsOnlyReading(c):
		return "nothing on the wire: SHUT_RD is local"
	}
	if k := lc.callsOf(writeEnders, c.Side).before(c); k != nil {
		return fmt.Sprintf("nothing on the wire: the %s went out with #%d", lc.end(), k.ID)
	}
	return lc.whyQueued(c.Side)
}

// whyQueued says of a side whose FIN never left what it waited behind; "" where that is not known.
func (lc *linked) whyQueued(side analyze.Side) string {
	taken, sent := lc.taken(side), *lc.Bytes.Of(side)
	if taken <= sent || len(lc.ends(side).segments) > 0 {
		return ""
	}
	left := "never left"
	if lc.Reset == nil {
		left = "had not left when the capture ended"
	}
	return fmt.Sprintf("the %s waited behind %s in the send queue, and %s", lc.end(), analyze.Count(taken-sent, "byte"), left)
}

func (lc *linked) whyRecv(c *analyze.Call) string {
	if c.Errno != "" || c.Ret != 0 || len(c.ReturnedBy) > 0 {
		return ""
	}
	if k := lc.readShut(c); k != nil {
		return fmt.Sprintf("end of stream because of its own #%d", k.ID)
	}
	if r := lc.rstBefore(c); r != nil {
		return fmt.Sprintf("a clean end of stream, though %s: an earlier call took the error", frameText(r))
	}
	return ""
}

func (lc *linked) whySend(c *analyze.Call) string {
	if k := lc.writeShut(c); k != nil && c.Errno == "EPIPE" {
		return fmt.Sprintf("its own #%d had shut the writing side", k.ID)
	}
	if c.Errno != "" || len(c.Caused) > 0 || c.Ret == 0 {
		return ""
	}
	return "queued: none of its bytes left while the capture ran"
}
