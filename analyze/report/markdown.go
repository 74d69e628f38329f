package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// writeMarkdown writes the grid as a table of GitHub Flavored Markdown.
func (g *grid) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(g.markdownHead())
	for _, row := range g.rows {
		b.WriteString(markdownRow(row))
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}

func (g *grid) markdownHead() string {
	titles, rule := "|", "|"
	for _, c := range g.columns {
		titles += " " + escapeMarkdown(strings.ReplaceAll(c.title, "\n", " / ")) + " |"
		if c.right {
			rule += "---:|"
		} else {
			rule += "---|"
		}
	}
	return titles + "\n" + rule + "\n"
}

func markdownRow(row []cell) string {
	var b strings.Builder
	b.WriteString("|")
	for _, c := range row {
		b.WriteString(" ")
		for i, l := range c {
			if i > 0 {
				b.WriteString("<br>")
			}
			b.WriteString(escapeMarkdown(strings.ReplaceAll(l.text, noBreak, " ")))
		}
		b.WriteString(" |")
	}
	return b.String() + "\n"
}

// escapeMarkdown keeps s from being read as Markdown or HTML. An underscore inside a word, as
// in TIME_WAIT, means nothing there and stays.
func escapeMarkdown(s string) string {
	var b strings.Builder
	previous := ' '
	for i, r := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		switch {
		case strings.ContainsRune("\\`*[]|~#!", r), r == '_' && !(isWord(previous) && isWord(next)):
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		default:
			b.WriteRune(r)
		}
		previous = r
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
