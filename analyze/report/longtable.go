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
		l := &list{print: p}
		widths, fits := l.measure(columns, rows, i == layouts-1 || p.format == Markdown)
		if !fits {
			continue
		}
		rows = without(rows, widths)
		if l.narrow {
			l.shrink(rows)
		}
		return l.write(rows)
	}
	return nil
}

// measure gives l the columns in which something stands, at widths that fit, and returns how wide the
// widest cell of each is. It gives up at the row from which on no width fits, unless it must.
func (l *list) measure(columns []column, rows iter.Seq[[]cell], must bool) (widths []int, fits bool) {
	widths = make([]int, len(columns))
	pieces := make([]int, len(columns))
	opt := l.print.opt
	fit := func() bool {
		l.grid.columns = nil
		var wanted, unbroken []int
		for j, c := range columns {
			if widths[j] > 0 {
				l.grid.columns = append(l.grid.columns, c)
				wanted = append(wanted, max(widths[j], c.heading().width(opt)))
				unbroken = append(unbroken, max(pieces[j], c.heading().piece(opt)))
			}
		}
		l.widths, fits = l.grid.fit(slices.Clone(wanted), unbroken, opt, must)
		l.narrow = !slices.Equal(l.widths, wanted)
		return fits || must
	}
	for row := range rows {
		grown := false
		for j, c := range row {
			if n := c.width(opt); n > widths[j] {
				widths[j], grown = n, true
			}
			if columns[j].min == 0 || pieces[j] >= longestPiece {
				continue
			}
			if n := c.piece(opt); n > pieces[j] {
				pieces[j], grown = n, true
			}
		}
		if grown && !must && !fit() {
			return nil, false
		}
	}
	return widths, fit()
}

// shrink takes from the columns that wrap what no line of theirs needs. It looks at rows for as long as
// there is something to take.
func (l *list) shrink(rows iter.Seq[[]cell]) {
	needed := make([]int, len(l.widths))
	for j, c := range l.grid.columns {
		needed[j] = c.heading().width(l.print.opt)
	}
	for row := range rows {
		more := false
		for j, c := range row {
			if needed[j] >= l.widths[j] {
				continue
			}
			for _, one := range c {
				for _, text := range wrapText(l.print.opt.glyphs(one.text), l.widths[j], one.hang) {
					needed[j] = max(needed[j], textWidth(text))
				}
			}
			more = more || needed[j] < l.widths[j]
		}
		if !more {
			break
		}
	}
	for j, n := range needed {
		l.widths[j] = min(l.widths[j], n)
	}
}

// without leaves out the columns that have no width. A row is good until the next.
func without(rows iter.Seq[[]cell], widths []int) iter.Seq[[]cell] {
	return func(yield func([]cell) bool) {
		var cells []cell
		for row := range rows {
			cells = cells[:0]
			for j, c := range row {
				if widths[j] > 0 {
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
