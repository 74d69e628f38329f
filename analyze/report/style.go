package report

import (
	"strings"
	"unicode/utf8"

	"github.com/closecap/closecap/analyze/terminal"
)

// style is how a piece of text stands out. It never carries meaning of its own: without
// colours the words say the same.
type style uint8

const (
	plain style = iota
	dim
	bold
	good
	bad
	warn
)

var styleCodes = [...]string{dim: "2", bold: "1", good: "32", bad: "31", warn: "33"}

// paint dresses s for a terminal.
func (o Options) paint(st style, s string) string {
	if !o.Color || st == plain || s == "" {
		return s
	}
	return "\x1b[" + styleCodes[st] + "m" + s + "\x1b[0m"
}

var asciiSigns = map[rune]string{
	'→': "->", '←': "<-", '—': "-", '–': "-", '…': "...", '·': "|", '×': "x", '≤': "<=", '≥': ">=", '└': "`", 'µ': "u",
}

// toASCII writes report's own signs in ASCII.
func toASCII(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	from := 0
	for i, r := range s {
		if r < utf8.RuneSelf {
			continue
		}
		if sign, ok := asciiSigns[r]; ok {
			b.WriteString(s[from:i])
			b.WriteString(sign)
			from = i + utf8.RuneLen(r)
		}
	}
	b.WriteString(s[from:])
	return b.String()
}

// maxShown is how many characters of one text a table shows at most, whoever wrote it.
const maxShown = 1000

// glyphs writes report's own signs in what the terminal can show.
func (o Options) glyphs(s string) string {
	if len(s) > maxShown {
		s = shorten(s, maxShown)
	}
	if o.Box || terminal.IsPlain(s) {
		return s
	}
	return toASCII(s)
}
