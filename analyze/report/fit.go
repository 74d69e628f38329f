package report

// fitRows is up to how many rows the fit looks for the widths that give the fewest lines.
const fitRows = 200

// widths returns the columns' widths that fit into the terminal, lines included, and whether
// they do. Of the columns that may wrap it narrows the one that costs the fewest lines. With must they
// are those that come nearest, and words may break.
func (g *grid) widths(opt Options, must bool) (widths []int, fits bool) {
	widths = make([]int, len(g.columns))
	pieces := make([]int, len(g.columns))
	for i, c := range g.columns {
		widths[i], pieces[i] = c.heading().width(opt), c.heading().piece(opt)
		for _, row := range g.rows {
			widths[i] = max(widths[i], row[i].width(opt))
			if c.min > 0 && pieces[i] < longestPiece {
				pieces[i] = max(pieces[i], row[i].piece(opt))
			}
		}
	}
	return g.fit(widths, pieces, opt, must)
}

// width is that of the widest line.
func (c cell) width(opt Options) int {
	n := 0
	for _, l := range c {
		n = max(n, textWidth(opt.glyphs(l.text)))
	}
	return n
}

// fit narrows the columns from the widths that their cells would like to have, none below its min and
// none so far that one of its pieces breaks. Where that is not enough and it must, pieces break, and
// Options.TooNarrow learns the width that would have done.
func (g *grid) fit(widths, pieces []int, opt Options, must bool) (fitted []int, fits bool) {
	if opt.Width <= 0 {
		return widths, true
	}
	least := make([]int, len(widths))
	for i, c := range g.columns {
		least[i] = widths[i]
		if c.min > 0 {
			least[i] = min(widths[i], max(c.min, pieces[i]))
		}
	}
	if needs := g.total(least); needs > opt.Width {
		if !must {
			return least, false
		}
		if opt.TooNarrow != nil {
			opt.TooNarrow(needs)
		}
		for i, c := range g.columns {
			if c.min > 0 {
				least[i] = min(widths[i], c.min)
			}
		}
		if g.total(least) > opt.Width {
			return least, false
		}
	}
	f := fitter{grid: g, opt: opt, least: least, lines: map[[2]int][]int{}}
	for sum := g.total(widths); sum > opt.Width; sum-- {
		widths[f.cheapest(widths)]--
	}
	return widths, true
}

// total is the width of the grid with columns of these widths, lines included.
func (g *grid) total(widths []int) int {
	sum := 1 + 3*len(g.columns)
	for _, n := range widths {
		sum += n
	}
	return sum
}

// fitter remembers how many lines each column's cells take at each width.
type fitter struct {
	grid  *grid
	opt   Options
	least []int
	lines map[[2]int][]int // by column and width
}

// cheapest returns the column to narrow by one: that which adds the fewest lines to the grid,
// the widest among equals.
func (f *fitter) cheapest(widths []int) int {
	best, bestHeight := -1, 0
	for i := range f.grid.columns {
		if widths[i] <= f.least[i] {
			continue
		}
		height := 0
		if len(f.grid.rows) <= fitRows {
			widths[i]--
			height = f.height(widths)
			widths[i]++
		}
		if best < 0 || height < bestHeight || height == bestHeight && widths[i] > widths[best] {
			best, bestHeight = i, height
		}
	}
	return best
}

// height counts the lines of the whole grid.
func (f *fitter) height(widths []int) int {
	total := 0
	for r := range f.grid.rows {
		tallest := 1
		for i, c := range f.grid.columns {
			if c.min > 0 {
				tallest = max(tallest, f.column(i, widths[i])[r])
			} else {
				tallest = max(tallest, len(f.grid.rows[r][i]))
			}
		}
		total += tallest
	}
	return total
}

func (f *fitter) column(i, width int) []int {
	key := [2]int{i, width}
	if lines, ok := f.lines[key]; ok {
		return lines
	}
	lines := make([]int, len(f.grid.rows))
	for r, row := range f.grid.rows {
		for _, l := range row[i] {
			lines[r] += len(wrapText(f.opt.glyphs(l.text), width, l.hang))
		}
	}
	f.lines[key] = lines
	return lines
}
