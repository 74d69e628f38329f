package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/sockets"
)

// SocketFormats are the formats that WriteSockets knows.
var socketFormats = []Format{Table, JSON, NDJSON, CSV}

// SocketFormats lists the formats that WriteSockets knows.
func SocketFormats() []Format { return slices.Clone(socketFormats) }

// WriteSockets writes which sockets are ending or stuck. NDJSON and CSV have one a line. limit is
// how many rows a table has at most, 0 for no limit.
func WriteSockets(w io.Writer, format Format, l *sockets.Listing, limit int, opt Options) error {
	switch format {
	case JSON:
		return writeJSON(w, "  ", l)
	case NDJSON:
		for i := range l.Sockets {
			if err := writeJSON(w, "", timed{l.Time, &l.Sockets[i]}); err != nil {
				return err
			}
		}
		return nil
	case CSV:
		return writeSocketCSV(w, l)
	}
	p := &printer{w: w, format: Table, opt: opt}
	if err := p.lines(socketHeader(l)); err != nil {
		return err
	}
	shown := l.Sockets
	if limit > 0 && len(shown) > limit {
		shown = shown[:limit]
	}
	if len(shown) > 0 {
		err := p.table(len(socketLayouts), func(i int) *grid { return socketGrid(l, shown, socketLayouts[i]) })
		if err != nil {
			return err
		}
	}
	return p.lines(socketFooter(l, len(l.Sockets)-len(shown)))
}

// timed is a row on a line of its own.
type timed struct {
	Time event.Time `json:"time"`
	*sockets.Socket
}

// socketHeader says how many are in trouble, and how many there are.
func socketHeader(l *sockets.Listing) []line {
	troubled, all := 0, 0
	for i := range l.Sockets {
		if l.Sockets[i].Trouble != sockets.NoTrouble {
			troubled += l.Sockets[i].Count
		}
	}
	var states []string
	for _, name := range slices.Sorted(maps.Keys(l.States)) {
		all += l.States[name]
		states = append(states, fmt.Sprintf("%s %s", grouped(uint64(l.States[name])), name))
	}
	title := fmt.Sprintf("%s ending or stuck, of %s", grouped(uint64(troubled)), count(uint64(all), "TCP socket"))
	if len(states) > 0 {
		title += ": " + strings.Join(states, ", ")
	}
	return []line{{text: title, style: bold, hang: 2}}
}

// socketFooter says what was left out, what a full queue has cost, and what could not be seen.
func socketFooter(l *sockets.Listing, left int) []line {
	var out []line
	if left > 0 {
		out = append(out, line{text: fmt.Sprintf("%s more, less bad: --limit 0 shows all", grouped(uint64(left)))})
		if who := notClosedBy(l); who != "" {
			out = append(out, line{text: "CLOSE_WAIT held by " + who, style: bad, hang: 2})
		}
	}
	if n, ok := l.Counters["ListenOverflows"]; ok && (n > 0 || l.Counters["ListenDrops"] > 0) {
		out = append(out, line{hang: 2, text: fmt.Sprintf("full accept queues so far: ListenOverflows %s, ListenDrops %s (since the network namespace began)",
			grouped(uint64(n)), grouped(uint64(l.Counters["ListenDrops"])))})
	}
	if n := l.Unseen.NotAllowed; n > 0 {
		out = append(out, line{hang: 2, style: warn, text: fmt.Sprintf("holders of %s: not allowed (sudo shows those of other users)", count(uint64(n), "socket"))})
	}
	if n := l.Unseen.NotFound; n > 0 {
		out = append(out, line{hang: 2, text: fmt.Sprintf("holders of %s: none found; another pid namespace, a descriptor in flight, io_uring or the kernel itself may have it",
			count(uint64(n), "socket"))})
	}
	return out
}

// notClosedBy names the processes that hold the most sockets whose peers have closed.
func notClosedBy(l *sockets.Listing) string {
	n := map[string]int{}
	for i := range l.Sockets {
		r := &l.Sockets[i]
		for k, h := range r.Holders {
			if r.Trouble == sockets.NotClosed && (k == 0 || h.PID != r.Holders[k-1].PID) {
				n[holderName(h)]++
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	var who []string
	for i, name := range names {
		if i == maxHolders {
			who = append(who, fmt.Sprintf("%d more", len(names)-i))
			break
		}
		who = append(who, fmt.Sprintf("%s: %s", name, grouped(uint64(n[name]))))
	}
	return and(who)
}

// socketColumn is a column of the table.
type socketColumn struct {
	min   int
	right bool
	value func(l *sockets.Listing, r *sockets.Socket) cell
}

var socketColumns = map[string]socketColumn{
	"state": {value: func(_ *sockets.Listing, r *sockets.Socket) cell { return text(stateCount(r)) }},
	"for":   {right: true, value: func(_ *sockets.Listing, r *sockets.Socket) cell { return text(together(ageWords(r))) }},
	"local → remote": {min: 21, value: func(_ *sockets.Listing, r *sockets.Socket) cell {
		return cell{{text: endsOf(r), hang: 2}}
	}},
	"held by": {min: 12, value: func(_ *sockets.Listing, r *sockets.Socket) cell { return text(heldBy(r)) }},
	"socket": {min: 25, value: func(_ *sockets.Listing, r *sockets.Socket) cell {
		c := cell{{text: strings.TrimSpace(stateCount(r) + " " + together(ageWords(r))), style: troubleStyle(r)}, {text: endsOf(r), hang: 2}}
		if by := heldBy(r); by != "" {
			c = append(c, line{text: by, hang: 2})
		}
		return c
	}},
	"what it waits for, and what ends that": {min: 24, value: func(l *sockets.Listing, r *sockets.Socket) cell {
		return cell{{text: waitsFor(l, r), style: troubleStyle(r)}}
	}},
	"explain": {value: func(_ *sockets.Listing, r *sockets.Socket) cell { return styled(dim, r.Explains) }},
}

// socketLayouts are the columns to show, widest first.
var socketLayouts = [][]string{
	{"state", "for", "local → remote", "held by", "what it waits for, and what ends that", "explain"},
	{"socket", "what it waits for, and what ends that"},
}

func socketGrid(l *sockets.Listing, shown []sockets.Socket, layout []string) *grid {
	g := &grid{}
	for _, name := range layout {
		col := socketColumns[name]
		g.columns = append(g.columns, column{title: name, min: col.min, right: col.right})
	}
	for i := range shown {
		var row []cell
		for _, name := range layout {
			row = append(row, socketColumns[name].value(l, &shown[i]))
		}
		g.add(row...)
	}
	g.dropEmpty()
	return g
}

func troubleStyle(r *sockets.Socket) style {
	switch r.Trouble {
	case sockets.AcceptQueueFull, sockets.NotClosed, sockets.NotAccepted:
		return bad
	case sockets.NotAcknowledged, sockets.WindowClosed, sockets.HeldBack, sockets.PeerNotClosed:
		return warn
	}
	return plain
}

// stateCount is the state, with how many sockets a group has. The other end of the row above is
// marked.
func stateCount(r *sockets.Socket) string {
	s := r.State.String()
	if r.Count > 1 {
		s = grouped(uint64(r.Count)) + noBreak + "×" + noBreak + s
	}
	if isSecond(r) {
		s = "└" + noBreak + s
	}
	return s
}

// isSecond reports whether r's other end stands above it.
func isSecond(r *sockets.Socket) bool { return r.OtherEnd != 0 && r.OtherEnd < r.ID }

// ageWords are the age as far as it is known: between two lengths that come to the same, that one.
func ageWords(r *sockets.Socket) string {
	if r.Age == nil {
		return ""
	}
	least, most := time.Duration(r.Age.LeastNS), time.Duration(r.Age.MostNS)
	if most-least <= max(least/20, 50*time.Millisecond) {
		return span(least)
	}
	return "≥ " + span(least)
}

func endsOf(r *sockets.Socket) string {
	local, remote := portOrAny(r), "any"
	if r.Remote.IsValid() && r.Remote.Port() != 0 {
		remote = r.Remote.String()
	}
	if r.State == event.Listen {
		return local
	}
	return local + " → " + remote
}

func portOrAny(r *sockets.Socket) string {
	if r.Local.Port() == 0 {
		return strings.TrimSuffix(r.Local.String(), "0") + "*"
	}
	return r.Local.String()
}

// maxHolders is how many holders a row names.
const maxHolders = 3

// heldBy names the descriptors that refer to the socket.
func heldBy(r *sockets.Socket) string {
	switch {
	case r.Hidden:
		return "not seen (user " + fmt.Sprint(r.UID) + ")"
	case len(r.Holders) == 0 && r.Trouble == sockets.NotAccepted:
		return "nobody yet"
	case len(r.Holders) == 0 && r.Orphan && r.Trouble != sockets.InTimeWait:
		return "nobody"
	}
	var who []string
	for i, h := range r.Holders {
		if i == maxHolders {
			who = append(who, fmt.Sprintf("%d more", len(r.Holders)-i))
			break
		}
		who = append(who, fmt.Sprintf("%s%sfd%s%d", holderName(h), noBreak, noBreak, h.FD))
	}
	return and(who)
}
