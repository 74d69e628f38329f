package report

import (
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze/compare"
)

// writeComparisonHTML writes c as a page: the answers, and the scenarios beside each other.
func writeComparisonHTML(w io.Writer, c *compare.Comparison, _ bool, _ Options) error {
	var names []string
	for _, s := range c.Scenarios {
		names = append(names, Safe(s.Name))
	}
	p := newPage(strings.Join(names, ", "))
	p.Facts = []string{plainSpaces(comparisonTitle(c))}
	p.Tool, p.Warnings = Safe(c.Tool), safeAll(c.Warnings)
	var b strings.Builder
	writeAnswers(&b, c)
	p.Answers = template.HTML(b.String())
	for i, s := range c.Scenarios {
		for _, run := range s.Runs {
			if run.Name != compare.ScenarioRun || run.Result == nil {
				continue
			}
			for _, conn := range run.Result.Connections {
				title := Safe(s.Name)
				if len(run.Result.Connections) > 1 {
					title += fmt.Sprintf(", conn %d", conn.ID)
				}
				name := fmt.Sprintf("%d-%d", i, conn.ID)
				p.Articles = append(p.Articles, template.HTML(article(outlineOf(run.Result), conn, name, title)))
			}
		}
	}
	return p.write(w)
}

// writeAnswers writes a column for each scenario and a row for each question.
func writeAnswers(b *strings.Builder, c *compare.Comparison) {
	g := comparisonGrid(c)
	titles := make([]string, len(g.columns))
	for i, column := range g.columns {
		titles[i] = escape(column.title)
	}
	var rows []tableRow
	for _, cells := range g.rows {
		var r tableRow
		for i, c := range cells {
			r.addCell("", c)
			if i > 0 { // on a phone, where no heading stands over it
				r.cells[i] = `<b class="of">` + titles[i] + `</b>` + r.cells[i]
			}
		}
		rows = append(rows, r)
	}
	writeTable(b, "questions", "The same questions to each; after an answer, the calls and frames that it comes from", titles, rows)
}
