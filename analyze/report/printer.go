package report

import (
	"fmt"
	"io"
	"strings"
)

// printer writes lines and grids as a table for a terminal or as Markdown.
type printer struct {
	w       io.Writer
	format  Format
	opt     Options
	skipped uint64 // connections that were not picked
	hidden  int    // calls that the result does not hold any more
}

// print writes a line, wrapped to the terminal. In Markdown it becomes an item of a list.
func (p *printer) print(l line) error {
	s := l.wrap(p.opt.Width, p.opt)
	if p.format == Markdown {
		s = ""
		if l.text != "" {
			s = "- " + escapeMarkdown(strings.TrimSpace(strings.ReplaceAll(l.text, noBreak, " ")))
		}
	}
	if _, err := io.WriteString(p.w, s+"\n"); err != nil {
		return fmt.Errorf("write %s: %w", p.format, err)
	}
	return nil
}

// blank writes an empty line.
func (p *printer) blank() error { return p.print(line{}) }

// title writes a line above a grid.
func (p *printer) title(s string) error {
	if p.format != Markdown {
		return p.print(line{text: s, style: bold, hang: 2})
	}
	s = "**" + escapeMarkdown(strings.ReplaceAll(s, noBreak, " ")) + "**\n\n"
	if _, err := io.WriteString(p.w, s); err != nil {
		return fmt.Errorf("write %s: %w", p.format, err)
	}
	return nil
}

// table writes the first of the grids, widest first, that fits; the last in any case.
func (p *printer) table(layouts int, build func(layout int) *grid) error {
	if p.format == Markdown {
		return build(0).writeMarkdown(p.w)
	}
	for i := range layouts {
		g := build(i)
		last := i == layouts-1
		if widths, fits := g.widths(p.opt, last); fits || last {
			return g.write(p.w, widths, p.opt)
		}
	}
	return nil
}
