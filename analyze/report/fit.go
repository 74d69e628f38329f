package report

// fitRows is up to how many rows the fit looks for the widths that give the fewest lines.
const fitRows = 200

// widths returns the columns' widths that fit into the terminal, lines included, and whether
// they do. Of the columns that may wrap it narrows the one that costs the fewest lines.
func (g *grid) widths(opt Options) (widths []int, fits bool) {
	widths = make([]int, len(g.columns))
	for i, c := range g.columns {
		widths[i] = c.heading().width(opt)
		for _, row := range g.rows {
			widths[i] = max(widths[i], row[i].width(opt))
		}
	}
	return g.fit(widths, opt)
}

// width is that of the widest line.
func (c cell) width(opt Options) int {
	n := 0
	for _, l := range c {
		n = max(n, textWidth(opt.glyphs(l.text)))
	}
	return n
}

// fit narrows the columns from the widths that their cells would like to have.
func (g *grid) fit(widths []int, opt Options) (fitted []int, fits bool) {
	f := fitter{grid: g, opt: opt, lines: map[[2]int][]int{}}
	sum := 1 + 3*len(g.columns)
	for _, n := range widths {
		sum += n
	}
	if opt.Width <= 0 {
		return widths, true
	}
	if sum-g.slack(widths) > opt.Width {
		return g.narrowest(widths), false
	}
	for ; sum > opt.Width; sum-- {
		widths[f.cheapest(widths)]--
	}
	return widths, true
}

// slack is by how much the columns can be narrowed.
func (g *grid) slack(widths []int) int {
	n := 0
	for i, c := range g.columns {
		if c.min > 0 {
			n += max(0, widths[i]-c.min)
		}
	}
	return n
}

func (g *grid) narrowest(widths []int) []int {
	for i, c := range g.columns {
		if c.min > 0 {
			widths[i] = min(widths[i], c.min)
		}
	}
	return widths
}

// fitter remembers how many lines each column's cells take at each width.
type fitter struct {
	grid  *grid
	opt   Options
	lines map[[2]int][]int // by column and width
}

// cheapest returns the column to narrow by one: that which adds the fewest lines to the grid,
// the widest among equals.
func (f *fitter) cheapest(widths []int) int {
	best, bestHeight := -1, 0
	for i, c := range f.grid.columns {
		if c.min == 0 || widths[i] <= c.min {
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
