package report

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/compare"
)

// WriteComparison writes c as a table, as Markdown, as JSON or as a page: format is one of
// ComparisonFormats. JSON always holds every run; the table and Markdown show them under the
// answers when runs is set.
func WriteComparison(w io.Writer, format Format, c *compare.Comparison, runs bool, opt Options) error {
	write := formOf(format).comparison
	if write == nil {
		return fmt.Errorf("write comparison: %w as %s", errors.ErrUnsupported, format)
	}
	return write(w, c, runs, opt)
}

func writeComparisonJSON(w io.Writer, c *compare.Comparison, _ bool, _ Options) error {
	return writeJSON(w, "  ", c)
}

// comparisonIn returns what writes a comparison's table in a format of printer's.
func comparisonIn(format Format) func(io.Writer, *compare.Comparison, bool, Options) error {
	return func(w io.Writer, c *compare.Comparison, runs bool, opt Options) error {
		p := &printer{w: w, format: format, opt: opt}
		if err := p.title(comparisonTitle(c)); err != nil {
			return err
		}
		if err := p.answers(c); err != nil {
			return err
		}
		if err := p.comparisonFooter(c, runs); err != nil || !runs {
			return err
		}
		return p.runs(c)
	}
}

func comparisonTitle(c *compare.Comparison) string {
	return eachTitle(count(uint64(len(c.Scenarios)), "scenario")+" compared", c.Kernel)
}

// leastAnswer is the narrowest column in which answers are still a pleasure to read.
const leastAnswer = 18

// answers draws one column a scenario where that fits, else one block a question.
func (p *printer) answers(c *compare.Comparison) error {
	g := comparisonGrid(c)
	if p.format == Markdown {
		return g.writeMarkdown(p.w)
	}
	if p.opt.Width > 0 {
		if widths, fits := g.widths(p.opt, false); fits {
			return g.write(p.w, widths, p.opt)
		}
	}
	return p.answerBlocks(c)
}

func comparisonGrid(c *compare.Comparison) *grid {
	g := &grid{columns: []column{{title: "question", min: leastAnswer}}}
	closing := []cell{text("the call in question")}
	for _, s := range c.Scenarios {
		g.columns = append(g.columns, column{title: Safe(s.Name), min: leastAnswer})
		closing = append(closing, styled(bold, closingWords(s)))
	}
	g.rows = append(g.rows, closing)
	for _, q := range c.Questions {
		row := []cell{text(q.Text)}
		for _, a := range q.Answers {
			row = append(row, answerCell(a))
		}
		g.rows = append(g.rows, row)
	}
	return g
}

func answerCell(a compare.Answer) cell {
	c := cell{{text: Safe(a.Text), style: answerStyle(a), hang: 1}}
	if from := refWords(a.From); from != "" {
		c = append(c, line{text: from, style: dim, hang: 1})
	}
	return c
}

func answerStyle(a compare.Answer) style {
	switch {
	case a.Basis != compare.Measured:
		return dim
	case a.Value == "yes":
		return bold
	}
	return plain
}

// refWords writes where an answer comes from: "#10, 11" in the scenario itself, "send#14".
func refWords(from []compare.Ref) string {
	var b strings.Builder
	last := ""
	for i, p := range from {
		if i > 0 {
			b.WriteString(",")
		}
		if p.Run != last || i == 0 {
			if i > 0 {
				b.WriteString(" ")
			}
			if p.Run != compare.ScenarioRun {
				b.WriteString(Safe(p.Run))
			}
			b.WriteString("#")
			last = p.Run
		}
		b.WriteString(strconv.Itoa(p.Row))
	}
	return b.String()
}

func closingWords(s compare.Subject) string {
	if s.Closing == "" {
		return "no closing call was seen"
	}
	return Safe(s.Closing)
}

// answerBlocks writes a block a question, a line a scenario.
func (p *printer) answerBlocks(c *compare.Comparison) error {
	name := 0
	for _, s := range c.Scenarios {
		name = max(name, textWidth(Safe(s.Name)))
	}
	entry := func(scenario, words string, st style) error {
		scenario = Safe(scenario)
		pad := strings.Repeat(noBreak, name-textWidth(scenario)+2)
		return p.print(line{text: "  " + scenario + pad + words, style: st, hang: name + 4})
	}
	if err := p.questionTitle("what is the call in question?"); err != nil {
		return err
	}
	for _, s := range c.Scenarios {
		if err := entry(s.Name, closingWords(s), plain); err != nil {
			return err
		}
	}
	for _, q := range c.Questions {
		if err := p.questionTitle(q.Text); err != nil {
			return err
		}
		for _, a := range q.Answers {
			words := Safe(a.Text)
			if from := refWords(a.From); from != "" {
				words += " " + together("("+from+")")
			}
			if err := entry(a.Scenario, words, answerStyle(a)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *printer) questionTitle(s string) error {
	return p.lines([]line{{}, {text: s, style: bold, hang: 2}})
}

// comparisonFooter says how to read where an answer comes from.
func (p *printer) comparisonFooter(c *compare.Comparison, runs bool) error {
	about := map[string]string{}
	var order []string
	for _, s := range c.Scenarios {
		for _, r := range s.Runs {
			if r.Name != compare.ScenarioRun && about[r.Name] == "" {
				about[r.Name] = r.About
				order = append(order, r.Name)
			}
		}
	}
	lines := []line{{}, {style: dim, hang: 2, text: `"This end" made the call in question. #N are the calls ` +
		`and frames that an answer comes from, in the scenario as it is written; name#N in a run of it that ` +
		`goes on differently after the call:`}}
	for _, name := range order {
		lines = append(lines, line{text: "  " + Safe(name) + ": " + Safe(about[name]), style: dim, hang: 4})
	}
	if !runs && len(order) > 0 {
		lines = append(lines, line{text: "  --runs shows them all.", style: dim, hang: 2})
	}
	if err := p.lines(lines); err != nil {
		return err
	}
	return p.warnings(c.Warnings)
}

// runs shows each run's calls.
func (p *printer) runs(c *compare.Comparison) error {
	for _, s := range c.Scenarios {
		for _, r := range s.Runs {
			if err := p.blank(); err != nil {
				return err
			}
			if err := p.title(Safe(s.Name) + ", " + Safe(r.Name) + ": " + Safe(r.About)); err != nil {
				return err
			}
			if r.Result == nil {
				continue
			}
			if err := p.calls(r.Result); err != nil {
				return err
			}
		}
	}
	return nil
}
