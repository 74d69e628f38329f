package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// column is a column of a grid. Its cells wrap once the grid is wider than the terminal, down
// to min characters; 0 means that they never wrap.
type column struct {
	title string
	min   int
	right bool
}

// heading is the title as a cell.
func (c column) heading() cell {
	var title cell
	for part := range strings.SplitSeq(c.title, "\n") {
		title = append(title, line{text: part, style: bold})
	}
	return title
}

// line is one line of a cell before wrapping. What wraps starts under hang.
type line struct {
	text  string
	style style
	hang  int
}

// cell is what stands in one row of one column.
type cell []line

func text(s string) cell             { return cell{{text: s}} }
func styled(st style, s string) cell { return cell{{text: s, style: st}} }

// grid is a table before it is fitted to a width.
type grid struct {
	columns []column
	rows    [][]cell
}

func (g *grid) add(cells ...cell) { g.rows = append(g.rows, cells) }

// dropEmpty takes away the columns in which nothing stands.
func (g *grid) dropEmpty() {
	for i := len(g.columns) - 1; i >= 0; i-- {
		if !g.isEmpty(i) {
			continue
		}
		g.columns = append(g.columns[:i], g.columns[i+1:]...)
		for r, row := range g.rows {
			g.rows[r] = append(row[:i], row[i+1:]...)
		}
	}
}

func (g *grid) isEmpty(i int) bool {
	for _, row := range g.rows {
		for _, l := range row[i] {
			if l.text != "" {
				return false
			}
		}
	}
	return true
}

// write draws the grid at the given column widths.
func (g *grid) write(w io.Writer, widths []int, opt Options) error {
	t := newTable(w, g.columns, widths, opt)
	for _, row := range g.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = c.wrap(widths[i], opt)
		}
		if err := t.Append(cells); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	if err := t.Render(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func newTable(w io.Writer, columns []column, widths []int, opt Options) *tablewriter.Table {
	symbols := tw.StyleASCII
	if opt.Box {
		symbols = tw.StyleLight
	}
	var titles []string
	var aligns []tw.Align
	for i, c := range columns {
		titles = append(titles, c.heading().wrap(widths[i], opt))
		align := tw.AlignLeft
		if c.right {
			align = tw.AlignRight
		}
		aligns = append(aligns, align)
	}
	t := tablewriter.NewTable(w,
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{Symbols: tw.NewSymbols(symbols)})),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithTrimLine(tw.Off),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{Global: tw.AlignLeft, PerColumn: aligns}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{Global: tw.AlignLeft, PerColumn: aligns}),
	)
	t.Header(titles)
	return t
}
