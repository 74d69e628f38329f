package report

import (
	"iter"
	"slices"
)

// heldRows is up to how many rows a table is held as cells, and tablewriter draws it. A million of
// them would take gigabytes, and there 20 µs each.
const heldRows = 1000

// longTable writes the first of the layouts that fits, as table does. It makes the rows anew for
// each look at them.
func (p *printer) longTable(layouts int, build func(layout int) ([]column, iter.Seq[[]cell])) error {
	for i := range layouts {
		columns, rows := build(i)
		widths := make([]int, len(columns))
		used := make([]bool, len(columns))
		for row := range rows {
			for j, c := range row {
				n := c.width(p.opt)
				widths[j] = max(widths[j], n)
				used[j] = used[j] || n > 0
			}
		}
		l := &list{print: p}
		var wanted []int
		for j, c := range columns {
			if used[j] {
				l.grid.columns = append(l.grid.columns, c)
				wanted = append(wanted, max(widths[j], c.heading().width(p.opt)))
			}
		}
		fitted, fits := l.grid.fit(slices.Clone(wanted), p.opt)
		if !fits && i < layouts-1 && p.format != Markdown {
			continue
		}
		if l.widths = fitted; !slices.Equal(fitted, wanted) {
			l.shrink(without(rows, used))
		}
		return l.write(without(rows, used))
	}
	return nil
}

// shrink takes from the columns that wrap what no line of theirs needs.
func (l *list) shrink(rows iter.Seq[[]cell]) {
	needed := make([]int, len(l.widths))
	for j, c := range l.grid.columns {
		needed[j] = c.heading().width(l.print.opt)
	}
	for row := range rows {
		for j, c := range row {
			for _, one := range c {
				for _, text := range wrapText(l.print.opt.glyphs(one.text), l.widths[j], one.hang) {
					needed[j] = max(needed[j], textWidth(text))
				}
			}
		}
	}
	for j, n := range needed {
		l.widths[j] = min(l.widths[j], n)
	}
}

// without leaves out the columns that are not used. A row is good until the next.
func without(rows iter.Seq[[]cell], used []bool) iter.Seq[[]cell] {
	return func(yield func([]cell) bool) {
		var cells []cell
		for row := range rows {
			cells = cells[:0]
			for j, c := range row {
				if used[j] {
					cells = append(cells, c)
				}
			}
			if !yield(cells) {
				return
			}
		}
	}
}

func (l *list) write(rows iter.Seq[[]cell]) error {
	if err := l.heading(); err != nil {
		return err
	}
	for cells := range rows {
		if err := l.cells(cells); err != nil {
			return err
		}
	}
	return l.end()
}
