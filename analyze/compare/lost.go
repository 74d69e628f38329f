package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
)

// lostOwn compares what this end had sent before the call with what the peer could read.
func (ev *evidence) lostOwn() Answer {
	return ev.ask("load", func(a *after) Answer {
		load := a.load()
		if load == nil || load.Bytes == nil || load.Errno != "" {
			return notMeasured()
		}
		reads := upTo(a.peer(event.RecvCall), isLast)
		var got uint64
		for _, c := range reads {
			if c.Bytes != nil {
				got = c.Bytes[1]
			}
		}
		from := []Ref{a.at(load)}
		if len(reads) > 0 {
			from = append(from, a.at(reads[len(reads)-1]))
		}
		if got >= load.Bytes[1] {
			return measured("yes", fmt.Sprintf("yes: all %d bytes of the send right before it", load.Ret), from...)
		}
		if a.conn == nil || a.conn.Ending != analyze.WasReset {
			text := fmt.Sprintf("%d of %d bytes had arrived when the run ended", got, load.Bytes[1])
			return measured("unread", text, from...)
		}
		lost := load.Bytes[1] - max(got, load.Bytes[0])
		text := fmt.Sprintf("no: %d of the %d bytes of the send right before it are dropped", lost, load.Ret)
		return measured("no", text+whoIsTold(reads), from...)
	})
}

// load is the big send right before the closing call.
func (a *after) load() *analyze.Call {
	var last *analyze.Call
	for _, c := range a.res.Calls {
		if c == a.closing {
			break
		}
		if c.Connection == a.closing.Connection && c.Side == a.closing.Side && c.Kind() == event.SendCall {
			last = c
		}
	}
	return last
}

func whoIsTold(reads []*analyze.Call) string {
	if n := len(reads); n > 0 && reads[n-1].Errno != "" && reads[n-1].Errno != "EAGAIN" {
		return "; only the peer is told: " + reads[n-1].Errno
	}
	return "; no call says so"
}

// lostPeer tells what became of the bytes that the peer sent after the call.
func (ev *evidence) lostPeer() Answer {
	return ev.ask("send", func(a *after) Answer {
		sends := a.peer(event.SendCall)
		if len(sends) == 0 || a.conn == nil {
			return notMeasured()
		}
		sent := sends[0]
		if sent.Errno != "" {
			return measured("no", "nothing is sent: "+sent.Errno+" says so at once", a.at(sent))
		}
		if a.conn.Reset == nil {
			return measured("no", "nothing is lost", a.at(sent))
		}
		lost := a.conn.Reset.Lost
		n := lost.AfterClose + lost.Unacked
		if n == 0 {
			return measured("no", "nothing is lost", a.at(sent))
		}
		text := fmt.Sprintf("lost: %s, and that send had said success", analyze.Count(uint64(n), "byte"))
		from := []Ref{a.at(sent), a.frame(a.conn.Reset.Frame)}
		later := a.pick(func(c *analyze.Call) bool {
			tells := c.Errno == "EPIPE" || c.Errno == "ECONNRESET"
			return tells && c.Start > sent.Start && c.Side == sent.Side
		})
		if len(later) > 0 {
			text += fmt.Sprintf("; the next %s says %s", later[0].Name, later[0].Errno)
			from = append(from, a.at(later[0]))
		}
		return measured("yes", text, from...)
	})
}

// others tells what the call means for another process that holds the same socket.
func (ev *evidence) others() Answer {
	return ev.ask("fork", func(a *after) Answer {
		sent, recvs := first(a.othersOf(event.SendCall)), a.othersOf(event.RecvCall)
		if sent == nil {
			return notMeasured()
		}
		from := []Ref{a.at(a.closing), a.at(sent)}
		var hit []string
		if sent.Errno != "" {
			hit = append(hit, "its send says "+sent.Errno)
		}
		if i := slices.IndexFunc(recvs, isLast); i >= 0 {
			c := recvs[i]
			hit = append(hit, "its recv says "+join.Outcome(c))
			from = append(from, a.at(c))
		}
		if len(hit) > 0 {
			return measured("yes", "yes: "+strings.Join(hit, ", "), from...)
		}
		if len(a.causedBy(a.closing, a.closing.Side)) == 0 {
			return measured("no", "no: the call sends nothing, and they talk on", from...)
		}
		return measured("no", "no", from...)
	})
}

// timeWait goes by the quiet run, or by the scenario where only that came to an end.
func (ev *evidence) timeWait() Answer {
	run := "quiet"
	if base := ev.runs[ScenarioRun]; base.ended() && !ev.runs[run].ended() {
		run = ScenarioRun
	}
	return ev.ask(run, func(a *after) Answer {
		if a.conn == nil {
			return notMeasured()
		}
		var holders []string
		for _, tw := range a.conn.TimeWait {
			if !slices.Contains(holders, string(tw.Holder)) {
				holders = append(holders, string(tw.Holder))
			}
		}
		end := a.frame(a.conn.LastFrame)
		switch {
		case len(holders) > 1:
			return measured("both", "both", end)
		case len(holders) == 0 && a.conn.Ending == analyze.WasReset:
			return measured("nobody", "nobody: RST", end)
		case len(holders) == 0:
			return measured("nobody", "nobody when the run ended: "+string(a.conn.Ending), end)
		case holders[0] == string(a.closing.Side):
			return measured(holders[0], "this end ("+holders[0]+")"+a.laterClose(), end)
		}
		return measured(holders[0], "the peer ("+holders[0]+")"+a.laterClose(), end)
	})
}

// ended reports whether both directions of the connection came to their end.
func (a *after) ended() bool {
	return a != nil && a.conn != nil && (a.conn.Ending == analyze.Graceful || a.conn.Ending == analyze.WasReset)
}

// laterClose says that the FIN was not the closing call's.
func (a *after) laterClose() string {
	if len(a.causedBy(a.closing, a.closing.Side)) == 0 {
		return ", by its later end, not by this call"
	}
	return ""
}

func (ev *evidence) ending() Answer {
	return ev.ask(ScenarioRun, func(a *after) Answer {
		if a.conn == nil {
			return notMeasured()
		}
		text, end := string(a.conn.Ending), a.frame(a.conn.LastFrame)
		if r := a.conn.Reset; r != nil {
			text += ": " + string(r.Cause)
			end = a.frame(r.Frame)
		}
		return measured(string(a.conn.Ending), text, end)
	})
}
