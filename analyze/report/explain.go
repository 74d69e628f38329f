package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/explain"
)

// indentOf counts the spaces before s.
func indentOf(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// Shown is evidence with the calls that a run of its scenario gave.
type Shown struct {
	explain.Evidence
	Result *analyze.Result
	Calls  []*analyze.Call
	Source string // which run it is, and how to see all of it
}

// topicStart is how many lines the start of a topic has at most: a terminal's usual ones without the prompt's.
const topicStart = 23

// WriteTopicStart writes as many paragraphs of a topic as fit a screen, and how to see the rest. Of a long
// list near the top, as of the causes of RST, it writes the beginning.
func WriteTopicStart(w io.Writer, t *explain.Topic, opt Options) error {
	p := pageOf(w, opt)
	head := line{text: t.Name + ": " + t.Title, style: bold}
	more := line{text: "more: closecap explain " + t.Name + " --more", style: dim, hang: 2}
	see := line{text: "see: " + strings.Join(t.See, ", "), style: dim, hang: len("see: ")}
	last := []line{{}, more}
	if len(t.See) > 0 {
		last = []line{{}, see, more}
	}
	room := topicStart - p.height(append([]line{head}, last...))
	page := []line{head}
	for _, paragraph := range paragraphs(t.Text) {
		part := []line{{}}
		for _, s := range paragraph {
			part = append(part, p.topicLine(s))
		}
		if p.height(part) > room {
			if len(page) < topicStart/2 {
				page = append(page, p.beginning(part, room)...)
			}
			break
		}
		room -= p.height(part)
		page = append(page, part...)
	}
	return p.lines(append(page, last...))
}

// beginning returns the entries of a list that fit into room lines, and a sign that more follow.
func (p *printer) beginning(list []line, room int) []line {
	outer := list[len(list)-1].hang
	for _, l := range list[1:] {
		outer = min(outer, l.hang)
	}
	fits := 0
	for i, l := range list {
		if l.hang <= outer && p.height(list[:i])+1 <= room {
			fits = i
		}
	}
	if fits < 2 {
		return nil
	}
	return append(list[:fits:fits], line{text: strings.Repeat(noBreak, outer-2) + "…", hang: outer})
}

// height is how many lines of the terminal the lines take.
func (p *printer) height(lines []line) int {
	n := 0
	for _, l := range lines {
		n += len(wrapText(p.opt.glyphs(l.text), p.opt.Width, l.hang))
	}
	return n
}

// paragraphs parts a text at its empty lines. What ends with a colon belongs to what follows.
func paragraphs(text []string) [][]string {
	var all [][]string
	for rest := text; len(rest) > 0; {
		n := slices.Index(rest, "")
		if n < 0 {
			n = len(rest)
		}
		switch last := len(all) - 1; {
		case n > 0 && last >= 0 && strings.HasSuffix(all[last][len(all[last])-1], ":"):
			all[last] = slices.Concat(all[last], []string{""}, rest[:n])
		case n > 0:
			all = append(all, rest[:n])
		}
		rest = rest[min(n+1, len(rest)):]
	}
	return all
}

// topicLine is a line of a topic's text. Its columns stay where they are when a narrow terminal wraps it, and when
// plain text has two signs for one: the gap behind them is the narrower.
func (p *printer) topicLine(s string) line {
	if gap := strings.Index(strings.TrimLeft(s, " "), "  "); gap > 0 {
		left, right := s[:indentOf(s)+gap], s[indentOf(s)+gap:]
		plain := p.opt.glyphs(left)
		s = plain + right[min(textWidth(plain)-textWidth(left), indentOf(right)-2):]
	}
	return line{text: strings.ReplaceAll(s, "  ", noBreak+noBreak), hang: indentOf(s) + 2}
}

// WriteTopic writes a topic with its evidence.
func WriteTopic(w io.Writer, t *explain.Topic, shown []Shown, opt Options) error {
	p := pageOf(w, opt)
	page := []line{{text: t.Name + ": " + t.Title, style: bold}, {}}
	for _, s := range t.Text {
		page = append(page, p.topicLine(s))
	}
	if len(shown) > 0 {
		page = append(page, line{})
	}
	if err := p.lines(page); err != nil {
		return err
	}
	for _, s := range shown {
		if err := p.evidence(s); err != nil {
			return err
		}
	}
	page = []line{{}}
	if t.Authority != "" {
		page = append(page, line{text: "authority: " + t.Authority, style: dim, hang: len("authority: ")})
	}
	if len(t.See) > 0 {
		page = append(page, line{text: "see: " + strings.Join(t.See, ", "), style: dim, hang: len("see: ")})
	}
	return p.lines(page)
}

// lines writes each of the lines.
func (p *printer) lines(lines []line) error {
	for _, l := range lines {
		if err := p.print(l); err != nil {
			return err
		}
	}
	return nil
}

// The widths of a line of evidence: number, call with its result, what it did.
const (
	evidenceNumber = 5
	evidenceCall   = 34
	screen         = 80
)

// pageOf is a printer whose lines are no longer than a page's, however wide the terminal.
func pageOf(w io.Writer, opt Options) *printer {
	if opt.Width <= 0 || opt.Width > screen {
		opt.Width = screen
	}
	return &printer{w: w, format: Table, opt: opt}
}

func (p *printer) evidence(s Shown) error {
	if err := p.print(line{text: Safe(s.Source), style: dim, hang: 2}); err != nil {
		return err
	}
	if filters := explain.Filters(s.Result, s.Calls); len(filters) > 0 {
		var words []string
		for _, c := range filters {
			words = append(words, together(fmt.Sprintf("#%d %s %s", c.ID, Safe(c.Actor), Safe(strings.TrimPrefix(c.Args, "SO_ATTACH_FILTER, ")))))
		}
		if err := p.print(line{text: " on arrival: " + strings.Join(words, ", "), style: dim, hang: 6}); err != nil {
			return err
		}
	}
	for _, c := range s.Calls {
		call := callLine(c)
		if result := resultLine(c).text; result != "" {
			call.text += " = " + strings.TrimPrefix(result, "-1 ")
		}
		number := fmt.Sprintf("%*s ", evidenceNumber-1, fmt.Sprintf("#%d", c.ID))
		width := min(evidenceCall, p.opt.Width/2-evidenceNumber)
		if err := p.pair(number, cell{call}, effect(s, c), width); err != nil {
			return err
		}
	}
	return nil
}

// pair writes two cells beside each other behind a mark. The left one is width wide, the
// right one gets the rest of the screen.
func (p *printer) pair(mark string, left, right cell, width int) error {
	rest := max(10, p.opt.Width-len(mark)-width-2)
	l := strings.Split(left.wrap(width, p.opt), "\n")
	r := strings.Split(right.wrap(rest, p.opt), "\n")
	for i := range max(len(l), len(r)) {
		if i > 0 {
			mark = strings.Repeat(" ", len(mark))
		}
		text := strings.TrimRight(mark+padded(l, i, width)+"  "+padded(r, i, 0), " ")
		if _, err := io.WriteString(p.w, text+"\n"); err != nil {
			return fmt.Errorf("write topic: %w", err)
		}
	}
	return nil
}

// padded returns the i-th of lines, filled to width with spaces that no style touches.
func padded(lines []string, i, width int) string {
	s := ""
	if i < len(lines) {
		s = lines[i]
	}
	return s + strings.Repeat(" ", max(0, width-textWidth(unpainted(s))))
}

// unpainted takes the escape sequences of a style away.
func unpainted(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		end := strings.IndexByte(s[i:], 'm')
		if end < 0 {
			return s
		}
		s = s[:i] + s[i+end+1:]
	}
}

// Word is an entry of a reference.
type Word struct{ Group, Usage, About string }

const referenceUsage = 34 // columns of a word's usage; a longer one has its line alone

// WriteReference lists words under their groups.
func WriteReference(w io.Writer, words []Word, opt Options) error {
	p := pageOf(w, opt)
	group := ""
	for _, word := range words {
		if word.Group != group {
			group = word.Group
			if err := p.lines([]line{{}, {text: group, style: bold}}); err != nil {
				return err
			}
		}
		usage := line{text: word.Usage, hang: 2}
		width := min(referenceUsage, p.opt.Width/2)
		if word.About == "" {
			width = p.opt.Width - 4
		}
		if err := p.pair("  ", cell{usage}, text(word.About), width); err != nil {
			return err
		}
	}
	return nil
}

// effect says what a call put on the wire, or why nothing, and the states after it.
func effect(s Shown, c *analyze.Call) cell {
	var out cell
	for _, conn := range s.Result.Connections {
		for _, seg := range conn.Segments {
			if slices.Contains(c.Caused, seg.Frame) && seg.Kind != analyze.KindAck {
				out = append(out, wireEvent(seg))
			}
		}
	}
	if len(out) == 0 && c.Explain != "" {
		out = append(out, line{text: Safe(c.Explain)})
	}
	if s.States && len(c.States) > 0 {
		states := fmt.Sprintf("client %s, server %s", c.States[analyze.Client], c.States[analyze.Server])
		out = append(out, line{text: Safe(states)})
	}
	return out
}
