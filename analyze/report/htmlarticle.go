package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// article writes one connection: verdict, picture, table. name tells it from the page's
// other articles.
func article(o *outline, c *analyze.Connection, name, title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<article class="connection" data-id="%d" aria-label="connection %[1]d">`, c.ID)
	if title != "" {
		fmt.Fprintf(&b, `<h2>%s</h2>`, escape(title))
	}
	writeVerdict(&b, o, c)
	d := newDiagram(o, c)
	b.WriteString(`<fieldset class="spacing"><legend>time axis</legend>`)
	for i, choice := range [][2]string{{"even", "even spacing"}, {"scaled", "time to scale"}} {
		checked := ""
		if i == 0 {
			checked = " checked"
		}
		fmt.Fprintf(&b, `<label><input type="radio" name="spacing-%s" value="%s"%s> %s</label>`, escape(name), choice[0], checked, choice[1])
	}
	b.WriteString(`</fieldset>`)
	for _, m := range []measures{wide, narrow} {
		writePicture(&b, newDrawing(d, m))
	}
	if points := d.waypointWords("a dot"); points != "" {
		fmt.Fprintf(&b, `<p class="more">%s</p>`, escape(points))
	}
	b.WriteString(`<div class="scroll">`)
	view := o.alone(c)
	if len(view.Calls) > 0 {
		writeCallTable(&b, view, d)
	} else {
		writeWireTable(&b, d)
	}
	b.WriteString(`</div>`)
	writeCompat(&b, c)
	b.WriteString("</article>\n")
	return b.String()
}

// connectionArticle is the article of a connection among others, or alone.
func connectionArticle(o *outline, c *analyze.Connection, alone bool) string {
	title := ""
	if !alone {
		title = fmt.Sprintf("conn %d · %s", c.ID, ends(c))
	}
	return article(o, c, strconv.Itoa(c.ID), title)
}

func writePicture(b *strings.Builder, d *drawing) {
	fmt.Fprintf(b, `<div class="picture %s"><svg class="ladder" viewBox="0 0 %d %d" data-even-height="%[3]d" data-scaled-height="%d" role="group" aria-label="ladder of connection %d: arrow keys move from row to row">`,
		d.class, d.width, d.even, d.scaled, d.conn.ID)
	b.WriteString(d.draw())
	b.WriteString("</svg></div>\n")
}

func writeVerdict(b *strings.Builder, o *outline, c *analyze.Connection) {
	for i, s := range strings.Split(o.verdict(c, nil), "\n") {
		class := "more"
		if i == 0 {
			class = "verdict " + [...]string{good: "good", bad: "bad", warn: "warn"}[endingStyle(c.Ending)]
		}
		fmt.Fprintf(b, `<p class="%s">%s</p>`, class, escape(s))
	}
	for _, s := range c.Warnings {
		fmt.Fprintf(b, `<p class="warning">warning: %s</p>`, escape(Safe(s)))
	}
	if c.Omitted > 0 {
		fmt.Fprintf(b, `<p class="more">%s of the transfer not listed</p>`, count(c.Omitted, "further segment"))
	}
}

// writeCompat writes what other tools would say.
func writeCompat(b *strings.Builder, c *analyze.Connection) {
	fmt.Fprintf(b, `<p class="compat">Zeek %s %s · Wireshark completeness %d · tcptrace %s</p>`,
		escape(Safe(c.Compat.ZeekConnState)), escape(Safe(c.Compat.ZeekHistory)), c.Compat.Completeness, escape(Safe(c.Compat.Tcptrace)))
}
