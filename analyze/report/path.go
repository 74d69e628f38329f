package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
)

// madeReset returns the RST of c where it was made on the way, nil where it was not.
func madeReset(c *analyze.Connection) *analyze.OnPath {
	if c.Path == nil || c.Reset == nil {
		return nil
	}
	for i := range c.Path.Made {
		if o := &c.Path.Made[i]; o.Frame == c.Reset.Frame {
			return o
		}
	}
	return nil
}

// madeWhere says between which points something was made.
func madeWhere(o *analyze.OnPath) string {
	return fmt.Sprintf("made between %s and %s: seen at %s alone", Safe(o.Seen), Safe(o.Missing), Safe(o.Seen))
}

// pathSentences say what was lost and made on the way, and whose clocks differ.
func pathSentences(c *analyze.Connection) []string {
	if len(c.Vantages) < 2 {
		return nil
	}
	var lines []string
	if c.Path != nil {
		lines = append(madeOnWay(c), lostOnWay(c.Path)...)
	}
	var points []string
	for _, v := range c.Vantages {
		words := Safe(v.Point)
		if v.ClockAhead == nil {
			words += " (its clock can't be compared)"
		} else if d := time.Duration(*v.ClockAhead); d >= time.Millisecond || d <= -time.Millisecond {
			way := "ahead"
			if d < 0 {
				d, way = -d, "behind"
			}
			words += fmt.Sprintf(" (clock %s %s)", span(d), way)
		}
		if v.Client != c.Client || v.Server != c.Server {
			words += fmt.Sprintf(" (there %s → %s)", v.Client, v.Server)
		}
		points = append(points, words)
	}
	return append(lines, "Seen at, from the client's side on: "+strings.Join(points, ", ")+".")
}

// shownOnWay is how many packets a sentence names.
const shownOnWay = 8

// stretch is a part of the path on which packets of one kind, in the name of an end, were lost or made.
type stretch struct {
	from          analyze.Side
	what          string // their flags, or whether they were the end's
	seen, missing string
}

// byStretch deals out what happened on the way, in the order in which it first did.
func byStretch(all []analyze.OnPath, of func(*analyze.OnPath) stretch) (order []stretch, packets map[stretch][]analyze.OnPath) {
	packets = map[stretch][]analyze.OnPath{}
	for i := range all {
		k := of(&all[i])
		if packets[k] == nil {
			order = append(order, k)
		}
		packets[k] = append(packets[k], all[i])
	}
	return order, packets
}

// onWayFrames names the first frames of some packets.
func onWayFrames(packets []analyze.OnPath) string {
	var named []uint64
	for i := range packets[:min(len(packets), shownOnWay)] {
		named = append(named, packets[i].Frame)
	}
	words := "frame "
	if len(named) > 1 {
		words = "frames "
	}
	if words += frames(named); len(packets) > len(named) {
		words += fmt.Sprintf(" and %d more", len(packets)-len(named))
	}
	return words
}

// madeOnWay is a sentence for each end and stretch of the path on which RSTs or FINs were made beside that of the verdict.
func madeOnWay(c *analyze.Connection) (lines []string) {
	others := c.Path.Made
	if o := madeReset(c); o != nil {
		others = slices.DeleteFunc(slices.Clone(others), func(p analyze.OnPath) bool { return p.Frame == o.Frame })
	}
	order, of := byStretch(others, func(o *analyze.OnPath) stretch { return stretch{o.From, o.Flags, o.Seen, o.Missing} })
	for _, k := range order {
		what := k.what
		if n := uint64(len(of[k])); n > 1 {
			what = grouped(n) + " × " + k.what
		}
		lines = append(lines, fmt.Sprintf("Made on the way: %s in the name of the %s (%s), %s.", what, k.from, onWayFrames(of[k]), madeWhere(&of[k][0])))
	}
	return lines
}

// lostOnWay is a sentence for each end and stretch of the path that lost something, and for what was made before that.
func lostOnWay(path *analyze.Path) (lines []string) {
	order, of := byStretch(path.Lost, func(o *analyze.OnPath) stretch {
		k := stretch{o.From, "of", o.Seen, o.Missing}
		if slices.ContainsFunc(path.Made, func(made analyze.OnPath) bool { return made.Frame == o.Frame }) {
			k.what = "in the name of"
		}
		return k
	})
	for _, k := range order {
		var bytes uint64
		for _, o := range of[k] {
			bytes += uint64(o.Bytes)
		}
		payload := ""
		if bytes > 0 {
			payload = ", " + count(bytes, "byte")
		}
		lines = append(lines, fmt.Sprintf("Lost on the way: %s %s the %s (%s%s), seen at %s and not at %s.",
			count(uint64(len(of[k])), "packet"), k.what, k.from, onWayFrames(of[k]), payload, Safe(k.seen), Safe(k.missing)))
	}
	return lines
}

// lossWords say that a segment did not arrive, as sure as that is.
func lossWords(s *analyze.Segment) string {
	if slices.Contains(s.Notes, analyze.LostOnTheWay) {
		return analyze.LostOnTheWay
	}
	return "seems lost"
}

// lostWay counts what was lost on the way, as the end of a list's words.
func lostWay(c *analyze.Connection) string {
	if c.Path == nil || len(c.Path.Lost) == 0 {
		return ""
	}
	return ", " + grouped(uint64(len(c.Path.Lost))) + " lost on the way"
}

// pointNames are the points that saw c.
func pointNames(c *analyze.Connection) string {
	var names []string
	for _, v := range c.Vantages {
		names = append(names, v.Point)
	}
	return strings.Join(names, "; ")
}

// onPathCount counts one kind of what happened on the way; it is empty where only one point saw c.
func onPathCount(kind func(*analyze.Path) []analyze.OnPath) func(*analyze.Connection) string {
	return func(c *analyze.Connection) string {
		switch {
		case len(c.Vantages) == 0:
			return ""
		case c.Path == nil:
			return "0"
		}
		return strconv.Itoa(len(kind(c.Path)))
	}
}

// seenTitle names the points of c as the title of a column, "" where there are not several.
func seenTitle(c *analyze.Connection) string {
	if len(c.Vantages) < 2 {
		return ""
	}
	var names []string
	for _, v := range c.Vantages {
		names = append(names, Safe(v.Point))
	}
	return "seen at\n" + strings.Join(names, ",\n")
}

// seenCell says as which frame each of c's points saw s: "-" where one did not, "+" where it passed in
// segments of another size.
func seenCell(c *analyze.Connection, s *analyze.Segment) string {
	if len(c.Vantages) < 2 {
		return ""
	}
	cells := make([]string, len(c.Vantages))
	for i, v := range c.Vantages {
		cells[i] = "-"
		for _, at := range s.Seen {
			switch {
			case at.Point != v.Point:
			case at.Frame == 0:
				cells[i] = "+"
			default:
				cells[i] = strconv.FormatUint(at.Frame, 10)
			}
		}
	}
	return strings.Join(cells, ", ")
}

// onWay counts what several capture points tell of many connections.
type onWay struct {
	seen              uint64 // connections at more than one point
	lost, made        uint64 // packets
	lostFrom, madeFor uint64 // connections
}

func (w *onWay) add(c *analyze.Connection) {
	if len(c.Vantages) > 1 {
		w.seen++
	}
	if c.Path == nil {
		return
	}
	if n := uint64(len(c.Path.Lost)); n > 0 {
		w.lost += n
		w.lostFrom++
	}
	if n := uint64(len(c.Path.Made)); n > 0 {
		w.made += n
		w.madeFor++
	}
}

func (w *onWay) words() string {
	if w.seen+w.lostFrom+w.madeFor == 0 {
		return ""
	}
	var parts []string
	if w.made > 0 {
		parts = append(parts, fmt.Sprintf("made %s, RSTs or FINs in the name of an end, on %s", count(w.made, "packet"), count(w.madeFor, "connection")))
	}
	if w.lost > 0 {
		parts = append(parts, fmt.Sprintf("lost %s on %s", count(w.lost, "packet"), count(w.lostFrom, "connection")))
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing known to be lost or made")
	}
	return fmt.Sprintf("on the way, of %s at several points: %s", count(w.seen, "connection"), strings.Join(parts, "; "))
}
