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
	current := s[:min(len(s)-len(words), width/2)]
	for word := range strings.SplitSeq(words, " ") {
		for {
			joined := current + word
			if strings.TrimSpace(current) != "" {
				joined = current + " " + word
			}
			if textWidth(joined) <= width {
				current = joined
				break
			}
			if strings.TrimSpace(current) != "" {
				lines = append(lines, current)
				current = indent
				continue
			}
			head := cut(joined, max(width, len(current)+1))
			lines = append(lines, head)
			word, current = joined[len(head):], indent
		}
	}
	return append(lines, current)
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
