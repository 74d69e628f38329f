package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// waypoints are the capture points that a diagram draws between the lifelines of the ends, from the client's side on;
// none where only one point saw the connection.
func (d *diagram) waypoints() []analyze.Vantage {
	if len(d.conn.Vantages) < 2 {
		return nil
	}
	return d.conn.Vantages
}

// waypointAt is how far from the client's lifeline to the server's the i-th point is drawn.
func (d *diagram) waypointAt(i int) float64 {
	return float64(i+1) / float64(len(d.conn.Vantages)+1)
}

// stretch says from where to where a segment is drawn, as shares of the way from its sender: one that was made on the
// way begins between two points, and one that was lost there ends so.
func (d *diagram) stretch(s *analyze.Segment) (from, to float64) {
	to = 1
	if d.conn.Path == nil {
		return from, to
	}
	between := func(all []analyze.OnPath, share *float64) {
		for i := range all {
			o := &all[i]
			seen, missing := d.waypoint(o.Seen), d.waypoint(o.Missing)
			if o.Frame != s.Frame || seen < 0 || missing < 0 {
				continue
			}
			*share = (d.waypointAt(seen) + d.waypointAt(missing)) / 2
			if s.From == analyze.Server {
				*share = 1 - *share
			}
		}
	}
	between(d.conn.Path.Made, &from)
	between(d.conn.Path.Lost, &to)
	return from, to
}

func (d *diagram) waypoint(name string) int {
	return slices.IndexFunc(d.conn.Vantages, func(v analyze.Vantage) bool { return v.Point == name })
}

// sawRow reports whether a point saw a segment of a row.
func (d *diagram) sawRow(point string, row *diagramRow) bool {
	return slices.ContainsFunc(row.segments, func(s *analyze.Segment) bool {
		return slices.ContainsFunc(s.Seen, func(at analyze.Sighting) bool { return at.Point == point })
	})
}

// waypointWords name the points by the numbers that stand above them, and say by which mark an arrow tells that one saw it, if
// it does.
func (d *diagram) waypointWords(mark string) string {
	var words []string
	for i, v := range d.waypoints() {
		words = append(words, fmt.Sprintf("%d %s", i+1, Safe(v.Point)))
	}
	if len(words) == 0 {
		return ""
	}
	at := "captured at " + strings.Join(words, ", ")
	if mark == "" {
		return at
	}
	return at + "; " + mark + " where it was seen"
}

// waypointTitle is the title of a column that says where segments were seen, by those numbers.
func (d *diagram) waypointTitle() string {
	var numbers []string
	for i := range d.waypoints() {
		numbers = append(numbers, fmt.Sprint(i+1))
	}
	return "seen at " + strings.Join(numbers, ", ")
}

// waypointColumns are the columns between the ladder's lifelines at which points stand.
func (l *ladder) waypointColumns() []int {
	var columns []int
	for i := range l.d.waypoints() {
		columns = append(columns, int(l.d.waypointAt(i)*float64(l.arrow)))
	}
	return columns
}

// past draws the points' lines where a row's middle leaves room for them: beside its arrow, and through its shaft,
// which the line breaks where the point did not see it.
func (l *ladder) past(row *diagramRow, middle string) string {
	columns := l.waypointColumns()
	if len(columns) == 0 || textWidth(middle) != len([]rune(middle)) {
		return middle
	}
	runes := []rune(middle)
	for i, c := range columns {
		if c >= len(runes) {
			continue
		}
		switch string(runes[c]) {
		case " ":
			if c > 0 && c+1 < len(runes) && runes[c-1] != ' ' && runes[c+1] != ' ' {
				continue // between two words
			}
			runes[c] = []rune(l.g.point)[0]
		case l.g.shaft, l.g.repeated, l.g.folded:
			runes[c] = []rune(l.g.point)[0]
			if l.d.sawRow(l.d.conn.Vantages[i].Point, row) {
				runes[c] = []rune(l.g.through)[0]
			}
		}
	}
	return string(runes)
}

// sightings draws a dot at each point that saw the row's segment, on the way from..to of its arrow.
func (p *drawing) sightings(row *svgRow, from, to int) {
	for i, v := range p.waypoints() {
		x := p.waypointX(i)
		if p.sawRow(v.Point, row.diagramRow) && min(from, to) < x && x < max(from, to) {
			y := 17 + 3*float64(x-from)/float64(to-from)
			fmt.Fprintf(&p.b, `<circle class="seen" cx="%d" cy="%.1f" r="3"/>`, x, y)
		}
	}
}

// waypointX is where the i-th point's line stands.
func (p *drawing) waypointX(i int) int {
	return p.line[0] + int(p.waypointAt(i)*float64(p.line[1]-p.line[0]))
}

// waypointHead is what stands between the heads of the lifelines.
func (l *ladder) waypointHead() []string {
	columns := l.waypointColumns()
	if len(columns) == 0 {
		return nil
	}
	head := []rune(strings.Repeat(" ", l.arrow))
	for i, c := range columns {
		for k, r := range fmt.Sprint(i + 1) {
			head[min(c+k, len(head)-1)] = r
		}
	}
	return []string{string(head)}
}

// waypointLines draws the points between the lifelines, each with its number above it.
func (p *drawing) waypointLines() {
	for i, v := range p.waypoints() {
		x := p.waypointX(i)
		fmt.Fprintf(&p.b, `<text class="point-name" x="%d" y="30" text-anchor="middle">%d<title>%s</title></text>`, x, i+1, escape(Safe(v.Point)))
		fmt.Fprintf(&p.b, `<rect class="point" data-point="%s" data-first="0" data-last="%d" x="%d" y="%d" width="1" height="%d"/>`+"\n",
			escape(Safe(v.Point)), len(p.rows), x, svgHead+svgLine/2, max(0, p.even-svgHead))
	}
}
