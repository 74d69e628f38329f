package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/sockets"
)

// waitsFor says what a socket waits for, and what ends that.
func waitsFor(l *sockets.Listing, r *sockets.Socket) string {
	switch r.Trouble {
	case sockets.AcceptQueueFull:
		return fmt.Sprintf("%s for accept(), listen() allows %d: %s until %s accepts",
			acceptQueue(r), r.Backlog, refusedHow(l), holderOr(r, "the listener's process"))
	case sockets.NotClosed:
		return notClosed(r)
	case sockets.NotAccepted:
		return "the peer closed before accept(): " + unreadWords(r) + " in the listener's queue until it is accepted, or the listener closes"
	case sockets.NotAcknowledged:
		return fmt.Sprintf("%s sent again %s%s; %s", onTheWay(r), times(r.Resent), silence(r), givesUp(l, r))
	case sockets.WindowClosed:
		return fmt.Sprintf("%s %s: the peer's receive window is closed; probes go on while it answers, else %s",
			onTheWay(r), waitVerb(r), givesUp(l, r))
	case sockets.HeldBack:
		return fmt.Sprintf("%s %s, and the peer has room: this host lets no segment out, as where a filter drops it; tried again, then %s",
			onTheWay(r), waitVerb(r), givesUp(l, r))
	case sockets.PeerNotClosed:
		s := "its FIN is acknowledged; waits for the peer's FIN" + otherHolder(l, r) + "; no timer ends that"
		if r.Timer == "keepalive" {
			s += ", only keep-alive probes do that nobody answers"
		}
		return s
	case sockets.Closing:
		return onTheWay(r) + " not yet acknowledged; sent again if need be, then " + givesUp(l, r)
	case sockets.OrphanWaits:
		return fmt.Sprintf("closed; waits for the peer's FIN%s, %s more at most%s, then is forgotten without a word",
			otherHolder(l, r), left(endBy(r, sockets.ByTimer)), setting(l, "tcp_fin_timeout", " s"))
	case sockets.InTimeWait:
		return timeWaitGroup(l, r)
	}
	return openWords(r)
}

func notClosed(r *sockets.Socket) string {
	s := "the peer has closed; " + unreadWords(r)
	switch {
	case r.EndRead:
		s = "the peer has closed, and recv has said so"
	case r.Unread == 0:
		s = "the peer has closed; recv was not asked since"
	}
	if r.Unacked > 0 {
		s += ", " + count(uint64(r.Unacked), "byte") + " to the peer not acknowledged"
	}
	s += "; no timer ends that, only "
	switch len(r.Holders) {
	case 0:
		s += "its application's close()"
	case 1:
		s += fmt.Sprintf("close(%d) by %s", r.Holders[0].FD, holderName(r.Holders[0]))
	default:
		s += fmt.Sprintf("close() of all %d descriptors, or one shutdown()", len(r.Holders))
	}
	if r.Timer == "keepalive" {
		s += ", or keep-alive, once the peer's kernel has forgotten the connection"
	}
	return s
}

func unreadWords(r *sockets.Socket) string {
	if r.Unread > 0 {
		return count(uint64(r.Unread), "byte") + " unread"
	}
	return "nothing unread"
}

// onTheWay is what the peer has not acknowledged.
func onTheWay(r *sockets.Socket) string {
	var parts []string
	if r.Unacked > 0 {
		parts = append(parts, count(uint64(r.Unacked), "byte"))
	}
	switch r.State {
	case event.SynSent:
		return "SYN"
	case event.FinWait1, event.LastAck, event.Closing:
		parts = append(parts, "FIN")
	}
	return strings.Join(parts, " and ")
}

func waitVerb(r *sockets.Socket) string {
	if r.Unacked > 1 {
		return "wait"
	}
	return "waits"
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// silence is for how long nothing was heard of the peer.
func silence(r *sockets.Socket) string {
	if r.QuietNS == 0 {
		return ""
	}
	return ", nothing heard of the peer for " + span(time.Duration(r.QuietNS))
}

// givesUp says when the kernel stops sending again.
func givesUp(l *sockets.Listing, r *sockets.Socket) string {
	e := endBy(r, sockets.ByRetries)
	s := "given up"
	if e.LeftNS > 0 {
		s = fmt.Sprintf("%s left, given up in %s", retries(e.Retries), left(e))
	}
	return s + setting(l, e.Setting, "")
}

func retries(n int) string {
	switch n {
	case 0:
		return "no retry"
	case 1:
		return "about 1 retry"
	}
	return fmt.Sprintf("about %d retries", n)
}

// setting names a sysctl with its value.
func setting(l *sockets.Listing, name, unit string) string {
	if name == "" {
		return ""
	}
	v, known := l.Settings[name]
	switch {
	case !known:
		return fmt.Sprintf(" (%s)", name)
	case name == "tcp_orphan_retries" && v == 0:
		return fmt.Sprintf(" (%s 0, which means 8)", name)
	}
	return fmt.Sprintf(" (%s %d%s)", name, v, unit)
}

func endBy(r *sockets.Socket, by sockets.Ender) sockets.End {
	for _, e := range r.Ends {
		if e.By == by {
			return e
		}
	}
	return sockets.End{}
}

func left(e sockets.End) string { return span(time.Duration(e.LeftNS)) }

// otherHolder names who holds the other end, where it is on this machine.
func otherHolder(l *sockets.Listing, r *sockets.Socket) string {
	if r.OtherEnd == 0 || r.OtherEnd > len(l.Sockets) {
		return ""
	}
	o := &l.Sockets[r.OtherEnd-1]
	switch len(o.Holders) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", which close(%d) by %s would send", o.Holders[0].FD, holderName(o.Holders[0]))
	}
	return ", which the other end's holders keep back"
}

func holderName(h event.SocketHolder) string { return fmt.Sprintf("%s[%d]", Safe(h.Comm), h.PID) }

func holderOr(r *sockets.Socket, other string) string {
	if len(r.Holders) == 0 {
		return other
	}
	return holderName(r.Holders[0])
}

func acceptQueue(r *sockets.Socket) string {
	if r.Waiting == 1 {
		return "1 connection waits"
	}
	return grouped(uint64(r.Waiting)) + " connections wait"
}

func refusedHow(l *sockets.Listing) string {
	const dropped = "new ones are dropped, their clients try again"
	if l.Settings["tcp_abort_on_overflow"] != 0 { // a SYN is dropped all the same (tcp_conn_request)
		return dropped + ", and those amid the handshake are reset (tcp_abort_on_overflow 1),"
	}
	return dropped
}

func timeWaitGroup(l *sockets.Listing, r *sockets.Socket) string {
	last := "over in " + left(r.Ends[0])
	if r.Count > 1 {
		last = "the last over in " + left(r.Ends[0])
	}
	last += fmt.Sprintf(" (TCP_TIMEWAIT_LEN %.0f s)", analyze.LinuxTimeWait.Seconds())
	if r.PortsUsed == 0 {
		return "closed first; takes no ephemeral port; " + last
	}
	ports := count(uint64(r.PortsUsed), "ephemeral port") + " taken towards there"
	if n := l.Ports.Size(); n > 0 {
		ports = fmt.Sprintf("%s of %s ephemeral ports taken towards there", grouped(uint64(r.PortsUsed)), grouped(uint64(n)))
		if percent := 100 * r.PortsUsed / n; percent > 0 {
			ports += fmt.Sprintf(", %d %%", percent)
		}
	}
	return "closed first; " + ports + "; " + last
}

// openWords are for sockets in order.
func openWords(r *sockets.Socket) string {
	if r.State == event.Listen {
		return fmt.Sprintf("%d of %d for accept()", r.Waiting, r.Backlog)
	}
	var parts []string
	if r.Unread > 0 {
		parts = append(parts, count(uint64(r.Unread), "byte")+" unread")
	}
	if r.Unacked > 0 {
		parts = append(parts, count(uint64(r.Unacked), "byte")+" unacknowledged")
	}
	return strings.Join(parts, ", ")
}
