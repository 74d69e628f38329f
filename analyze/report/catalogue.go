package report

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
)

// WriteCatalogue writes what came of many scenarios: a row for each, and under them what was
// not as expected. NDJSON and CSV have one scenario a line. format is one of CatalogueFormats.
func WriteCatalogue(w io.Writer, format Format, c *analyze.Catalogue, opt Options) error {
	write := formOf(format).catalogue
	if write == nil {
		return fmt.Errorf("write catalogue: %w as %s", errors.ErrUnsupported, format)
	}
	return write(w, c, opt)
}

func writeCatalogueJSON(w io.Writer, c *analyze.Catalogue, _ Options) error {
	return writeJSON(w, "  ", c)
}

func writeCatalogueNDJSON(w io.Writer, c *analyze.Catalogue, _ Options) error {
	for i := range c.Scenarios {
		if err := writeJSON(w, "", &c.Scenarios[i]); err != nil {
			return err
		}
	}
	return nil
}

// catalogueIn returns what writes a catalogue's table in a format of printer's.
func catalogueIn(format Format) func(io.Writer, *analyze.Catalogue, Options) error {
	return func(w io.Writer, c *analyze.Catalogue, opt Options) error {
		p := &printer{w: w, format: format, opt: opt}
		if err := p.title(catalogueTitle(c)); err != nil {
			return err
		}
		err := p.table(len(catalogueLayouts), func(i int) *grid { return catalogueGrid(c, catalogueLayouts[i]) })
		if err != nil {
			return err
		}
		return p.lines(catalogueFooter(c))
	}
}

func catalogueTitle(c *analyze.Catalogue) string {
	return eachTitle(count(uint64(len(c.Scenarios)), "scenario"), c.Kernel)
}

// catalogueColumn is a column of the table.
type catalogueColumn struct {
	title string
	min   int // as column.min
	right bool
	value func(o *analyze.Outline) cell
}

var catalogueColumns = map[string]catalogueColumn{
	"scenario":     {value: func(o *analyze.Outline) cell { return text(Safe(o.Scenario)) }},
	"ending":       {value: func(o *analyze.Outline) cell { return text(string(o.Ending)) }},
	"closer":       {value: func(o *analyze.Outline) cell { return text(orDash(o, string(o.Closer))) }},
	"cause":        {value: func(o *analyze.Outline) cell { return text(causeWords(o)) }},
	"outcome":      {title: "ending", min: 17, value: func(o *analyze.Outline) cell { return text(outcomeWords(o)) }},
	"TIME_WAIT":    {min: 9, value: func(o *analyze.Outline) cell { return text(holderWords(o)) }},
	"expectations": {title: "expectations met", right: true, value: metCell},
	"met":          {right: true, value: metCell},
	"ms":           {right: true, value: func(o *analyze.Outline) cell { return text(took(o)) }},
}

// catalogueLayouts are the columns to show, widest first.
var catalogueLayouts = [][]string{
	{"scenario", "ending", "closer", "cause", "TIME_WAIT", "expectations", "ms"},
	{"scenario", "outcome", "closer", "TIME_WAIT", "met"},
}

func catalogueGrid(c *analyze.Catalogue, layout []string) *grid {
	g := &grid{}
	for _, name := range layout {
		col := catalogueColumns[name]
		title := name
		if col.title != "" {
			title = col.title
		}
		g.columns = append(g.columns, column{title: title, min: col.min, right: col.right})
	}
	for i := range c.Scenarios {
		var row []cell
		for _, name := range layout {
			row = append(row, catalogueColumns[name].value(&c.Scenarios[i]))
		}
		g.add(row...)
	}
	return g
}

func orDash(o *analyze.Outline, s string) string {
	if s == "" && o.Connections > 0 {
		return "–"
	}
	return s
}

func causeWords(o *analyze.Outline) string {
	if o.Cause == "" {
		return orDash(o, "")
	}
	return fmt.Sprintf("%s by %s", o.Cause, o.ResetBy)
}

// outcomeWords is the ending with the cause of a reset.
func outcomeWords(o *analyze.Outline) string {
	if o.Cause == "" || string(o.Cause) == string(o.Ending) {
		return string(o.Ending)
	}
	return fmt.Sprintf("%s: %s", o.Ending, o.Cause)
}

// holderWords names who held TIME_WAIT, and what ended it early.
func holderWords(o *analyze.Outline) string {
	var who []string
	for _, tw := range o.TimeWait {
		word := string(tw.Holder)
		if tw.EndedBy != "" {
			word += ", ended by " + tw.EndedBy
		}
		who = append(who, word)
	}
	if len(o.TimeWait) == 2 && o.TimeWait[0].EndedBy == "" && o.TimeWait[1].EndedBy == "" {
		return string(analyze.Both)
	}
	return orDash(o, strings.Join(who, "; "))
}

func metCell(o *analyze.Outline) cell {
	switch {
	case o.Cannot != "":
		return styled(dim, "cannot run here")
	case o.Failed != "" && o.Expected == 0:
		return styled(bad, "failed")
	}
	s := fmt.Sprintf("%d of %d", o.Met, o.Expected)
	if !o.OK() {
		return styled(bad, s)
	}
	return text(s)
}

func took(o *analyze.Outline) string {
	if o.NS == 0 {
		return ""
	}
	return strconv.FormatInt(time.Duration(o.NS).Milliseconds(), 10)
}

// cannotLines names the scenarios that this system cannot run, with each reason once.
func cannotLines(c *analyze.Catalogue) []line {
	var reasons []string
	names := map[string][]string{}
	for i := range c.Scenarios {
		o := &c.Scenarios[i]
		if o.Cannot == "" {
			continue
		}
		if names[o.Cannot] == nil {
			reasons = append(reasons, o.Cannot)
		}
		names[o.Cannot] = append(names[o.Cannot], Safe(o.Scenario))
	}
	var out []line
	for _, r := range reasons {
		out = append(out, line{text: fmt.Sprintf("%s cannot run here: %s", and(names[r]), Safe(r)), hang: 2})
	}
	return out
}

// catalogueFooter says what was not as expected, what could not be run, and the sum.
func catalogueFooter(c *analyze.Catalogue) []line {
	out := cannotLines(c)
	expected, met, ok, cannot := 0, 0, 0, 0
	for i := range c.Scenarios {
		o := &c.Scenarios[i]
		expected, met = expected+o.Expected, met+o.Met
		if o.OK() {
			ok++
		}
		if o.Cannot != "" {
			cannot++
		}
		if o.Failed != "" {
			out = append(out, line{text: fmt.Sprintf("%s failed: %s", Safe(o.Scenario), Safe(o.Failed)), style: bad, hang: 2})
		}
		for _, e := range o.Unmet {
			out = append(out, line{text: fmt.Sprintf("%s: %s: got %s", Safe(e.At), Safe(e.Text), Safe(e.Got)), style: bad, hang: 2})
		}
	}
	sum := fmt.Sprintf("as expected: %s of %s, %d of %d expectations met",
		strconv.Itoa(ok), count(uint64(len(c.Scenarios)-cannot), "scenario"), met, expected)
	if cannot > 0 {
		sum += fmt.Sprintf("; %d could not be run here", cannot)
	}
	return append(out, line{text: sum, style: bold, hang: 2})
}
