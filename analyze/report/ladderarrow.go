package report

import (
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// ladderGlyphs are the characters that a ladder is drawn with.
type ladderGlyphs struct {
	line        map[phase]string
	call, wait  string
	begin, back [2]string
	shaft       string
	repeated    string // shaft of a retransmission
	folded      string
	right, left string
	lost        string
	point       string // the line of a capture point between the ends
	through     string // where an arrow passes it
}

var (
	boxGlyphs = ladderGlyphs{
		line: map[phase]string{notOpen: " ", opening: "│", open: "│", active: "┃", passive: "┃", waiting: "┊", closed: "·"},
		call: "─", wait: "▌", begin: [2]string{"┌", "┐"}, back: [2]string{"└", "┘"},
		shaft: "─", repeated: "╌", folded: "═", right: "▶", left: "◀", lost: "✗", point: "┆", through: "┼",
	}
	asciiGlyphs = ladderGlyphs{
		line: map[phase]string{notOpen: " ", opening: "|", open: "|", active: "#", passive: "#", waiting: ":", closed: "."},
		call: "-", wait: "!", begin: [2]string{"+", "+"}, back: [2]string{"+", "+"},
		shaft: "-", repeated: "-", folded: "=", right: ">", left: "<", lost: "x", point: ":", through: "+",
	}
)

func glyphsOf(opt Options) ladderGlyphs {
	if opt.Box {
		return boxGlyphs
	}
	return asciiGlyphs
}

// legend says how the lifelines read.
func (l *ladder) legend() string {
	g := l.g.line
	words := g[open] + " open  " + g[active] + " closing  " + g[waiting] + " TIME_WAIT  " + g[closed] + " closed  " +
		strings.Repeat(l.g.shaft, 3) + l.g.lost + " seems lost"
	return l.p.opt.paint(dim, strings.Repeat(" ", l.gutter())+words)
}

// middle draws what stands between the lifelines of a row.
func (l *ladder) middle(row *diagramRow) ([]string, style) {
	words := l.p.opt.glyphs(l.d.arrowText(row, false))
	switch row.kind {
	case segmentKind, foldKind:
		if textWidth(words)+5 > l.arrow {
			words = l.p.opt.glyphs(l.d.arrowText(row, true))
		}
		return []string{l.arrowOf(row, words)}, arrowStyle(row)
	case callRowKind:
		if row.side == analyze.NoSide {
			return l.step(row.call), dim
		}
	}
	return nil, plain
}

func arrowStyle(row *diagramRow) style {
	s := row.segments[0]
	switch {
	case row.kind == foldKind:
		return dim
	case s.Lost != "":
		return bad
	case s.Flags.Has(event.FIN) && s.Retransmits == 0:
		return bold
	}
	return segmentStyle(s)
}

// arrowOf draws an arrow that carries words next to its sender. A lost segment's arrow ends
// midway.
func (l *ladder) arrowOf(row *diagramRow, words string) string {
	s := row.segments[0]
	shaft, head := l.g.shaft, l.g.right
	fromServer := row.side == analyze.Server
	if fromServer {
		head = l.g.left
	}
	switch {
	case row.kind == foldKind:
		shaft = l.g.folded
	case s.Retransmits != 0:
		shaft = l.g.repeated
	}
	from, to := l.d.stretch(s)
	if room := int((to-from)*float64(l.arrow)) - 5; textWidth(words) > room {
		begun, ended := int(from*float64(l.arrow)), int(to*float64(l.arrow))
		if textWidth(words)+2 <= begun {
			return aside(head+strings.Repeat(shaft, l.arrow-begun-1), strings.Repeat(shaft, l.arrow-begun-1)+head, words, begun, fromServer)
		}
		if textWidth(words)+2 <= l.arrow-ended {
			return aside(strings.Repeat(shaft, ended-1)+l.g.lost, l.g.lost+strings.Repeat(shaft, ended-1), words, l.arrow-ended, !fromServer)
		}
		words = l.p.opt.glyphs(shorten(words, room-2))
	}
	length := l.arrow
	if s.Lost != "" && row.kind == segmentKind {
		head, length = l.g.lost, min(l.arrow, max(l.arrow*3/5, textWidth(words)+5))
		if to < 1 {
			length = min(l.arrow, max(int(to*float64(l.arrow)), textWidth(words)+5))
		}
	}
	skip := min(int(from*float64(l.arrow)), max(0, length-textWidth(words)-5))
	rest := strings.Repeat(shaft, max(0, length-skip-textWidth(words)-4))
	gap, before := strings.Repeat(" ", l.arrow-length), strings.Repeat(" ", skip)
	if fromServer {
		return gap + head + rest + " " + words + " " + shaft + before
	}
	return before + shaft + " " + words + " " + rest + head + gap
}

// aside draws an arrow that does not go all the way, and its words where it does not, which is so wide: behind it as it
// reads, or before it.
func aside(first, last, words string, width int, after bool) string {
	gap := strings.Repeat(" ", width-textWidth(words)-1)
	if after {
		return first + " " + words + gap
	}
	return gap + words + " " + last
}

// step centres a line of the script that is no call of either end.
func (l *ladder) step(c *analyze.Call) []string {
	parts := wrapText(l.p.opt.glyphs(stepWords(c)), l.arrow-2, 0)
	for i, part := range parts {
		left := max(0, (l.arrow-textWidth(part))/2)
		parts[i] = strings.Repeat(" ", left) + part + strings.Repeat(" ", max(0, l.arrow-textWidth(part)-left))
	}
	return parts
}
