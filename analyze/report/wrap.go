package report

import (
	"cmp"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/closecap/closecap/analyze/terminal"
)

// wrap breaks the cell's lines to width and paints them.
func (c cell) wrap(width int, opt Options) string {
	parts := make([]string, len(c))
	for i, l := range c {
		parts[i] = l.wrap(width, opt)
	}
	return strings.Join(parts, "\n")
}

func (l line) wrap(width int, opt Options) string {
	parts := wrapText(opt.glyphs(l.text), width, l.hang)
	for i, part := range parts {
		parts[i] = opt.paint(l.style, strings.ReplaceAll(part, noBreak, " "))
	}
	return strings.Join(parts, "\n")
}

// noBreak is a space at which a line does not break.
const noBreak = "\u00a0"

// together keeps the words of s on one line.
func together(s string) string { return strings.ReplaceAll(s, " ", noBreak) }

// wrapText breaks s at spaces, and inside a word only where the word alone is too long: between pieces
// of it if it can. Lines
// after the first are indented by hang, if that leaves room.
func wrapText(s string, width, hang int) []string {
	if width <= 0 || textWidth(s) <= width {
		return []string{s}
	}
	if hang > width/2 {
		hang = 1
	}
	indent := strings.Repeat(" ", hang)
	var lines []string
	words := strings.TrimLeft(s, " ")
	before := s[:min(len(s)-len(words), width/2)] // the line's words
	from, to := 0, 0                              // those words
	for start := 0; start <= len(words); {
		end := len(words)
		if n := strings.IndexByte(words[start:], ' '); n >= 0 {
			end = start + n
		}
		switch {
		case from == to && len(before)+textWidth(words[start:end]) <= width:
			from, to = start, end
		case from < to && len(before)+textWidth(words[from:end]) <= width:
			to = end
		case from < to:
			lines = append(lines, before+words[from:to])
			before, from, to = indent, start, start
			continue
		default:
			line := cut(before+words[start:end], max(width, len(before)+2)) // one character at least
			lines = append(lines, line)
			start += len(line) - len(before)
			for strings.HasPrefix(words[start:], noBreak) { // the line's end stands for it
				start += len(noBreak)
			}
			before, from, to = indent, start, start
			continue
		}
		start = end + 1
	}
	if from == to && len(lines) > 0 {
		return lines
	}
	return append(lines, before+words[from:to])
}

// cut returns as much of s as fits into width, at least one character. It ends between two pieces of
// s where it can.
func cut(s string, width int) string {
	end, nice, joint, used := 0, 0, 0, 0
	long := textWidth(strings.TrimLeft(s, " ")) > longestPiece
	for i, r := range s {
		n := textWidth(string(r))
		if i > 0 && used+n > width {
			break
		}
		used += n
		end = i + len(string(r))
		switch half := used > width/2; {
		case breaksAfter(r, s[end:], false), long && half && breaksAfter(r, s[end:], true):
			nice = end
		case half && breaksAfter(r, s[end:], true):
			joint = end
		}
	}
	if end == len(s) {
		return s
	}
	return s[:cmp.Or(nice, joint, end)]
}

// longestPiece is how wide a piece of a cell may be that no column breaks, its indent included. Data of
// others has words without end.
const longestPiece = 24

// breaksAfter reports whether a word may break between r and rest: in a call before its arguments, in a
// list; a long one also where addresses, names and options have their joints.
func breaksAfter(r rune, rest string, long bool) bool {
	if rest == "" {
		return false
	}
	switch r {
	case '(':
		return rest[0] != ')'
	case '/':
		return true
	case ',':
		return rest[0] < '0' || rest[0] > '9' // 32,768 is one number
	case ':', '.', '-', '=', '&', '?', ';':
		return long && strings.IndexByte(".:=&", rest[0]) < 0
	}
	return false
}

// piece is the width of the widest piece of c that should not break, with the indent that it has on a
// line of its own. It is longestPiece at most.
func (c cell) piece(opt Options) int {
	most := 0
	for _, l := range c {
		words := strings.TrimLeft(opt.glyphs(l.text), " ")
		hang := len(opt.glyphs(l.text)) - len(words) // the first word's
		for word := range strings.SplitSeq(words, " ") {
			most = max(most, hang+pieceOf(word))
			hang = l.hang
		}
	}
	return min(most, longestPiece)
}

func pieceOf(word string) int {
	n := textWidth(word)
	long := n > longestPiece
	if !long && !strings.ContainsAny(word, "(/,") {
		return n
	}
	most, used := 0, 0
	for i, r := range word {
		used += textWidth(string(r))
		if breaksAfter(r, word[i+len(string(r)):], long) {
			most, used = max(most, used), 0
		}
		if most >= longestPiece {
			break
		}
	}
	return max(most, used)
}

func textWidth(s string) int {
	if terminal.IsPlain(s) {
		return len(s)
	}
	return twwidth.WidthWithOptions(s, twwidth.Options{})
}
