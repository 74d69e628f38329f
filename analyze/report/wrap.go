package report

import (
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

// wrapText breaks s at spaces, and inside a word only where the word alone is too long. Lines
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

// cut returns as much of s as fits into width, at least one character. It prefers to end
// after a character at which addresses and lists break well.
func cut(s string, width int) string {
	end, nice, used := 0, 0, 0
	for i, r := range s {
		n := textWidth(string(r))
		if i > 0 && used+n > width {
			break
		}
		used += n
		end = i + len(string(r))
		if strings.ContainsRune(",:/(_", r) && used > width/2 {
			nice = end
		}
	}
	if nice > 0 && end < len(s) {
		return s[:nice]
	}
	return s[:end]
}

func textWidth(s string) int {
	if terminal.IsPlain(s) {
		return len(s)
	}
	return twwidth.WidthWithOptions(s, twwidth.Options{})
}
