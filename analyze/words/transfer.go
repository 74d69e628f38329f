package words

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// maxNamed bounds how many ports that control connections of FTP have named are known: of those whose connection did not
// come the latest, once or twice as many.
const maxNamed = 4096

// exiting is within what time of each other the sockets of a process that was killed are closed.
const exiting = 10 * time.Millisecond

// transfers are those of which the data connection has not come, by who is to connect to which port.
type transfers struct{ latest, before map[destination]*transfer }

type destination struct {
	from netip.Addr
	port uint16
}

// transfer is a file or a list of FTP, for which a port was named.
type transfer struct {
	analyze.Transfer
	to     netip.AddrPort // what was named: behind an address translation the host may be another
	active bool           // the server connects
	at     uint64         // the frame in which the port was named
	code   int            // of the final reply
	done   uint64         // its frame
	begun  bool           // the server said that it begins
	blind  bool           // what the final reply is of can't be told
	quit   bool           // QUIT came before the final reply
	abort  spot           // ABOR that did
	over   spot           // the control connection's first end, if nothing was said between
	ender  End            // whose that was
	heard  bool           // its kernel had the final reply by then
	shut   bool           // the server's end came, and nothing that it said before is missing
}

// waits reports whether the final reply to a transfer has yet to come.
func (t *transfer) waits() bool { return t != nil && t.Command != "" && t.code == 0 }

// replied takes a reply to the transfer.
func (t *transfer) replied(code int, reply string, at spot) {
	if code < 200 {
		t.begun = true
		return
	}
	t.code, t.Reply, t.done = code, reply, at.frame
	// What is neither is no reply to a transfer, and an error may be one to a QUIT that came too early.
	t.blind = t.blind || code < 400 && !t.complete() && t.abort.frame == 0 || code >= 400 && t.quit
}

// complete reports whether the server said that it is (RFC 959 5.4).
func (t *transfer) complete() bool { return t.code == 226 || t.code == 250 }

// add has a data connection come to t, of the control connection on which s was sent.
func (all *transfers) add(t *transfer, h *Heard, s *event.Segment) {
	t.Client, t.Server, t.Confidence = s.Src, s.Dst, analyze.Inferred
	if src := endpointOf(s.Src); h.end(&src) == Server {
		t.Client, t.Server = s.Dst, s.Src
	}
	d := destination{t.Client.Addr(), t.to.Port()}
	if t.active {
		d.from = t.Server.Addr()
	}
	if all.latest == nil || len(all.latest) >= maxNamed {
		all.latest, all.before = make(map[destination]*transfer), all.latest
	}
	all.latest[d] = t
}

// take returns the transfer for which s opens the data connection, nil where it does for none.
func (all *transfers) take(s *event.Segment) *transfer {
	if all.latest == nil || !s.Flags.Has(event.SYN) || s.Flags.Has(event.ACK) {
		return nil
	}
	d := destination{s.Src.Addr(), s.Dst.Port()}
	for _, named := range [...]map[destination]*transfer{all.latest, all.before} {
		t := named[d]
		if t == nil {
			continue
		}
		to := t.Server.Addr()
		if t.active {
			to = t.Client.Addr()
		}
		if s.Frame <= t.at || s.Dst.Addr() != to && s.Dst.Addr() != t.to.Addr() {
			return nil
		}
		delete(named, d)
		return t
	}
	return nil
}

// settle keeps what is known of h's transfer by now: on the control connection more may come.
func (h *Heard) settle() {
	if h.rest != nil && h.transfer != nil {
		t := *h.transfer
		h.transfer = &t
	}
}

// unconnected says why a transfer did not begin whose data connection c was not opened; "" where it did by another one.
func (t *transfer) unconnected(c *analyze.Connection, place func(uint64) string) string {
	from, to := "client", "server"
	if t.active {
		from, to = to, from
	}
	what := "FTP " + cmp.Or(t.Command, "transfer")
	switch {
	case t.code != 0 && t.code < 400:
		return ""
	case c.Ending == analyze.WasRefused:
		what += fmt.Sprintf(" did not begin: the %s's host refused the connection", to)
	default:
		what += " did not begin: nothing answered the connection"
	}
	what += fmt.Sprintf(" of the %s to the port that the %s had named%s", from, to, place(t.at))
	if t.code != 0 && !t.blind {
		what += "; " + t.Reply + place(t.done)
	}
	return what
}

// judge says what became of the transfer on c, and why, as far as it is known.
func (t *transfer) judge(c *analyze.Connection, number func(uint64) uint64) (told analyze.Transfer, why string) {
	told = t.Transfer
	place := func(frame uint64) string {
		if number != nil {
			frame = number(frame)
		}
		if frame == 0 {
			return ""
		}
		return fmt.Sprintf(" (frame %d)", frame)
	}
	told.Named, told.Frame = t.at, t.done
	if number != nil {
		told.Named, told.Frame = number(t.at), number(t.done)
	}
	if t.blind {
		told.Reply, told.Frame = "", 0
	}
	if c.Ending == analyze.WasRefused || c.Ending == analyze.Unanswered {
		if why = t.unconnected(c, place); why != "" {
			told.Outcome = analyze.TransferRefused
		}
		return told, why
	}
	if t.blind {
		return told, ""
	}
	what, reply := "FTP "+t.Command, t.Reply+place(t.done)
	doubt := t.doubt(c, place)
	switch {
	case t.Command == "":
	case t.code == 0 && !t.shut: // it may still come, or was not captured
	case t.code == 0:
		told.Outcome = analyze.TransferUntold
		why = fmt.Sprintf("%s, not known to be whole: no final reply came, its %s ended the control connection%s", what, [2]string{"client", "server"}[t.ender], place(t.over.frame))
	case t.complete() && doubt != "":
		told.Outcome, why = analyze.TransferUntold, fmt.Sprintf("%s, not known to be whole: %s %s", what, reply, doubt)
	case t.complete():
		told.Outcome, why = analyze.TransferComplete, fmt.Sprintf("%s, complete: %s", what, reply)
	case !t.begun && t.code >= 400:
		told.Outcome, why = analyze.TransferRefused, fmt.Sprintf("%s was refused: %s", what, reply)
	default:
		told.Outcome, why = analyze.TransferCut, fmt.Sprintf("%s was cut: %s", what, reply)
		if t.abort.frame != 0 {
			why += ", which " + doubt
		}
	}
	return told, why
}

// doubt is why a file of which the server says that it is complete may not be, "" for no reason.
func (t *transfer) doubt(c *analyze.Connection, place func(uint64) string) string {
	stores := t.Command == "STOR" || t.Command == "STOU" || t.Command == "APPE"
	means, end := "says only that the server has sent all", c.FirstEnd()
	if stores {
		means = "says only that the server saw the FIN"
	}
	switch {
	case t.abort.frame != 0:
		return "came after its client's ABOR" + place(t.abort.frame)
	case t.ender == Client && t.over.frame != 0 && !t.quit && (!t.heard || stores && end != 0 && t.over.time.Sub(end) < exiting):
		return means + ", and its client closed the control connection" + place(t.over.frame) + " without a word on it"
	case c.Ending == analyze.WasReset:
		return means + ", and this connection was reset"
	case c.LostBytes().Sum() > 0:
		return means + ", and not all of it arrived"
	}
	return ""
}

// transferred adds what became of the transfer that the connection carried.
func (x *ended) transferred(all *analyze.LastWords, number func(uint64) uint64) {
	if x.rest == nil || x.transfer == nil {
		return
	}
	told, why := x.transfer.judge(x.c, number)
	x.c.Transfer = &told
	if why != "" {
		all.Reason, all.Kind, all.Confidence = why, analyze.ReasonTransfer, told.Confidence
		switch x.c.Ending {
		case analyze.WasRefused: // has its own
		case analyze.Unanswered:
			x.topic = "last-words"
		default:
			x.topic = "end-of-file-by-fin"
		}
	}
}
