package words

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
)

const (
	// longIdle is from when on a connection was idle, and not between two messages.
	longIdle = 500 * time.Millisecond
	// raceIdle is from when on a request that lies unread at a close begins anew after a pause.
	raceIdle = 100 * time.Millisecond
)

// ended is a connection with what was said on it last.
type ended struct {
	*Heard
	c       *analyze.Connection
	side    [2]analyze.Side // of each End
	said    *[2]said        // unsaid in no known protocol: to clear two of them takes as long as all else that is told of most
	calls   []*analyze.Call
	over    bool // the connection is, and the capture lacks nothing of it
	closer  End  // who ended it first,
	closed  bool // where that is known
	quoted  [2]bool
	unsure  bool
	message string // that is the reason and says more than its kind
	topic   string // of `closecap explain`
}

// raceTopic is the topic of requests that meet a close.
const raceTopic = "keepalive-race"

// topicOf names the topic of `closecap explain` that tells more of a kind of goodbye, or of the end of a protocol.
func topicOf(name string) string {
	switch name {
	case goawayName:
		return "goaway"
	case wsGoodbye, "websocket":
		return "websocket-close"
	case tlsGoodbye, "tls":
		return "tls-close"
	}
	return ""
}

// reasons are the kinds in the order in which they are looked for.
var reasons = [...]analyze.ReasonKind{analyze.ReasonGoodbye, analyze.ReasonMismatch, analyze.ReasonUnheard, analyze.ReasonUnresponsive, analyze.ReasonRace, analyze.ReasonStalled, analyze.ReasonOutstanding,
	analyze.ReasonCut, analyze.ReasonHandshake, analyze.ReasonIdle, analyze.ReasonNoGoodbye}

// reason says in a sentence why the connection ended, as far as what was said last, or when, tells it, and of what kind
// that is; "" where it does not.
func (x *ended) reason() (string, analyze.ReasonKind) {
	for i, kind := range reasons {
		if i > 0 && !x.over {
			break
		}
		if why := x.why(kind); why != "" {
			if more := x.harmless(); more != "" {
				why += "; " + more
			}
			return why, kind
		}
	}
	if why := x.harmless(); why != "" {
		return why, analyze.ReasonHarmless
	}
	return "", ""
}

// why says the reason if it is of a kind.
func (x *ended) why(kind analyze.ReasonKind) string {
	switch kind {
	case analyze.ReasonGoodbye:
		return x.goodbye()
	case analyze.ReasonRace:
		return x.race()
	case analyze.ReasonStalled:
		why := x.stalled()
		if why != "" {
			x.topic = "window-zero"
		}
		return why
	case analyze.ReasonOutstanding:
		return x.leftWaiting()
	case analyze.ReasonMismatch:
		return x.mismatch()
	case analyze.ReasonCut:
		return x.cut()
	case analyze.ReasonHandshake:
		return x.handshake()
	case analyze.ReasonUnresponsive:
		return x.unresponsive()
	case analyze.ReasonUnheard:
		return x.unheard()
	case analyze.ReasonNoGoodbye:
		return x.noGoodbye()
	}
	return x.idle()
}

// announced is who announced the end first.
func (x *ended) announced() (first End, found bool) {
	for _, e := range [...]End{Client, Server} {
		g := &x.said[e].goodbye
		wrong := g.error && !(x.closed && x.closer == e && x.silence() < longIdle && !x.leftAfter(e))
		if g.words == "" || wrong || g.usual && (!x.closed || x.broken(e)) || x.late(e) {
			continue
		}
		if !found || g.at.frame < x.said[first].goodbye.at.frame {
			first, found = e, true
		}
	}
	return first, found
}

// goodbye is who announced the end first, what the other did then, and what error had come before.
func (x *ended) goodbye() string {
	first, found := x.announced()
	if !found {
		return ""
	}
	why := x.tellsOf(first)
	if g := &x.said[first].goodbye; g.earlier != "" {
		why += fmt.Sprintf("; %s (frame %d)", g.earlier, g.earlierAt.frame)
	}
	return why
}

// tellsOf is what the goodbye of the first end says, and what the other did then.
func (x *ended) tellsOf(first End) string {
	x.quotes(first)
	x.topic = topicOf(x.said[first].goodbye.name)
	g, other := &x.said[first].goodbye, &x.said[first.Other()].goodbye
	if g.stays {
		return fmt.Sprintf("the %s closed %s after its last answer, an error without Connection: close: %s%s (frame %d)",
			x.side[first], analyze.Span(x.silence()), g.words, g.told, g.at.frame)
	}
	if g.words != g.name && !strings.HasPrefix(g.words, wsNormal) {
		x.message = g.words
	}
	x.quoted[first.Other()] = other.name == g.name // it answers
	if m := &x.said[first.Other()]; m.at.frame == 0 && m.meaning == "" && !m.strange && x.ends[first.Other()].bytes > 0 {
		x.unsure = true // what can't be read may have been a goodbye before that
	}
	why := fmt.Sprintf("the %s ended it: %s%s (frame %d)%s", x.side[first], g.words, g.told, g.at.frame, x.paused(first))
	if to := x.strange(); to != "" && first == Server {
		why += "," + to
	}
	if g.more && x.said[Client].begun == 0 {
		why += ", the last answer"
	}
	if first == Client {
		why += x.said[Client].after()
	}
	switch m := &x.said[Client]; {
	case m.open == 0 || first == Client:
	case m.asked.frame > g.at.frame:
		x.quotes(Client)
		why += fmt.Sprintf(", before it had what was asked in frame %d", m.asked.frame)
	default:
		x.quotes(Client)
		why += ", with " + m.waiting()
	}
	switch {
	case !x.closed:
		return why
	case x.closer == first:
		return why + ", then closed"
	case g.name == wsGoodbye && other.name == wsGoodbye && x.closer == Client:
		return why + ", then the client closed, where RFC 6455 7.1.1 has the server close TCP first"
	}
	return fmt.Sprintf("%s, then the %s closed", why, x.side[x.closer])
}

// paused says how long nobody had said anything before the goodbye of e.
func (x *ended) paused(e End) string {
	at, from := x.said[e].goodbye.at, x.pause.from
	if at.frame == x.turn.frame {
		from = max(x.turn.before, x.again)
	} else if at.frame != x.pause.frame {
		return ""
	}
	idle := at.time.Sub(from)
	switch {
	case idle < longIdle:
		return ""
	case x.ends[Client].mute():
		return " after " + analyze.Span(idle) + " in which the client said nothing"
	case x.said[Client].open > 0 || x.said[e].goodbye.name == "error":
		return " after " + analyze.Span(idle) + " of silence"
	}
	return idling(idle)
}

// late reports whether the other end had closed before e said goodbye, or while that was on its way.
func (x *ended) late(e End) bool {
	over := x.ends[e.Other()].over.frame
	return x.closed && x.closer != e && over != 0 && over < x.said[e].goodbye.at.frame
}

// broken reports whether a message was cut, or a request not answered: also where it was the last that was said, and its
// client, which closed, may still wait for the answer. What came behind the request of which a server said that it is the
// last on the connection, that server has turned down.
func (x *ended) broken(e End) bool {
	waits := x.closer == Client && x.turn.of == Client && x.turn.frame != 0
	open := x.said[Client].open > 0 && e == Client
	return x.closed && (waits || x.said[Server].strange || x.said[Client].goesOn || x.said[Server].goesOn || x.over && (open || x.said[Client].cut || x.said[Server].cut))
}

// quotes notes that the reason holds what an end said.
func (x *ended) quotes(e End) {
	x.quoted[e] = true
	x.unsure = x.unsure || x.said[e].sure == analyze.Inferred
}

// race is a request that met the other end's close: one that was on its way, or one that had come long before. Whether
// that was a race for an idle connection, or a reuse of one at its end, the fact says where there is one.
func (x *ended) race() string {
	t, i := &x.turn, x.c.IdleClose
	if !x.asksAnew() || i == nil && (t.of != Client || t.frame == 0 || !x.closed || x.closer != Server || x.said[Client].closing > 0 || x.ends[Server].over.frame == 0) {
		return ""
	}
	what := "data"
	switch {
	case x.said[Client].open > 0:
		what = "the request"
		x.quotes(Client)
	case i == nil && x.said[Client].counts: // each request has its answer
		return ""
	}
	const crossed, late = "%s (frame %d) crossed the server's close by %s, no byte of an answer had come",
		"%s (frame %d) was sent %s after the server's close, of which the client's kernel knew: a connection at its end was used again"
	over := x.ends[Server].over.time
	why := ""
	switch {
	case i != nil && i.Crossed:
		idle := min(i.IdleNS.Client, i.IdleNS.Server)
		why = "keep-alive race: " + analyze.Span(time.Duration(idle)) + " idle, " + fmt.Sprintf(crossed, what, i.Request, margin(i.MarginNS))
	case i != nil:
		why = fmt.Sprintf(late, what, i.Request, margin(i.MarginNS)) + x.afterIdling()
	case x.met.crossed.frame != 0:
		why = fmt.Sprintf(crossed, what, x.met.crossed.frame, margin(int64(x.met.crossed.time.Sub(over))))
	case x.met.late == t.spot && x.c.Reset != nil && x.c.Reset.By == x.side[Server]:
		why = fmt.Sprintf(late, what, x.met.late.frame, margin(int64(x.met.late.time.Sub(over)))) + x.afterIdling()
	default:
		return ""
	}
	x.topic = raceTopic
	return why
}

// asksAnew reports whether what comes after a pause may be a request: SSH has none that another connection could carry.
func (x *ended) asksAnew() bool { return x.rest == nil || x.of == nil || x.of.name != "ssh" }

// margin is how far apart a request and a close are, whichever came first.
func margin(ns int64) string { return analyze.Span(time.Duration(max(ns, -ns))) }

// asks is what the client had asked without an answer: also one that came when it had closed, and met that.
func (x *ended) asks() *said {
	m, r := &x.said[Client], x.c.Reset
	late := r != nil && r.Cause == analyze.DataAfterClose && r.By == x.side[Client] && x.closed && x.closer == Client
	if m.open == 0 && !m.cut && late && x.rest != nil {
		return &x.pending
	}
	return m
}

// leftWaiting is a request that was outstanding when an end closed.
func (x *ended) leftWaiting() string {
	if m := &x.said[Server]; x.closed && m.strange {
		x.quotes(Server)
		return fmt.Sprintf("the %s closed, and what the server had said was %s (frame %d)", x.side[x.closer], m.meaning, m.at.frame)
	}
	m := x.asks()
	if m.outstanding() == 0 || !x.closed || x.ends[x.closer].over.frame == 0 {
		return ""
	}
	x.quotes(Client)
	asked := m.asked
	if asked.frame == 0 {
		asked = x.turn.spot
	}
	waited := analyze.Span(x.ends[x.closer].over.time.Sub(asked.time))
	if idle, r := x.turn.time.Sub(x.turn.before), x.c.Reset; r != nil && r.Cause == analyze.UnreadData && r.By == x.side[Server] && idle >= raceIdle {
		x.topic = raceTopic
		return fmt.Sprintf("keep-alive race: %s idle, the request lay unread when the server closed %s after it, no byte of an answer had come",
			analyze.Span(idle), waited)
	}
	if x.closer == Server {
		return fmt.Sprintf("the server closed %s after the last request, with %s", waited, m.waiting())
	}
	return fmt.Sprintf("the client closed after %s with %s%s", waited, m.waiting(), x.answeredLate())
}

// answeredLate says of an answer that came when its client had closed how much later that was: so long it would have had
// to wait.
func (x *ended) answeredLate() string {
	t, m, over := &x.turn, &x.said[Server], x.ends[Client].over
	fatal := m.goodbye.name == "error" && !m.goodbye.error // is none
	if t.of != Server || t.frame == 0 || t.time <= over.time || fatal || x.asks().begun > 0 {
		return ""
	}
	came := fmt.Sprintf(", which came %s later (frame %d)", analyze.Span(t.time.Sub(over.time)), t.frame)
	if m.meaning != "" && m.at.frame == t.frame {
		x.quotes(Server)
		came += ": " + m.meaning
	}
	return came
}

// outstanding returns how many requests have no answer at all.
func (m *said) outstanding() int { return m.open - m.begun }

// waiting is what is outstanding, and where the last of it was asked for.
func (m *said) waiting() string {
	if m.asked.frame == 0 {
		return m.waits
	}
	return fmt.Sprintf("%s (frame %d)", m.waits, m.asked.frame)
}

// handshake is a close before the ends had agreed on what is to come, or, but after idling, that it is the end.
func (x *ended) handshake() string {
	m := &x.said[Client]
	if x.closed && x.said[x.closer].bare != "" && x.idled() == 0 {
		x.quotes(x.closer)
		x.topic = topicOf("websocket")
		return "the " + string(x.side[x.closer]) + " closed " + x.said[x.closer].bare
	}
	if !x.closed || m.early == "" && x.said[Server].early == "" {
		return ""
	}
	why := "the " + string(x.side[x.closer]) + " closed"
	if idle := idling(x.silence()); idle != "" { // a server's child that gives up ends itself
		why += idle + ","
	}
	early := m.early
	if other := x.said[Server].early; len(other) > len(early) { // it says more
		early = other
	}
	why += " before " + early
	for e := range x.said {
		x.quoted[e] = x.said[e].early != ""
	}
	if x.ends[Client].mute() {
		why += ": the client had said nothing"
	}
	x.unsure = x.unsure || early == sshNoLogin
	return why + x.grace()
}

// harmless is a reset that cost nothing but messages that close.
func (x *ended) harmless() string {
	r := x.c.Reset
	if !x.metByGoodbye() {
		return ""
	}
	for e, side := range x.side {
		if g := &x.said[e].goodbye; side == r.Lost.From && g.name != "" {
			x.quotes(End(e))
			x.topic = cmp.Or(x.topic, topicOf(g.name))
			return fmt.Sprintf("reset, harmless: what met the closed socket was the %s's own %s", side, g.name)
		}
	}
	return ""
}
