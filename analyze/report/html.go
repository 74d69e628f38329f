package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze"
)

var (
	//go:embed assets/page.html
	pageHTML string
	//go:embed assets/page.css
	pageCSS string
	//go:embed assets/page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// maxPage is how many connections one page holds at most.
const maxPage = 10_000

// page is what the template of a report in the browser shows.
type page struct {
	Policy    string
	CSS       template.CSS
	JS        template.JS
	Title     string
	Source    string // Title in full; "" where that is it
	Facts     []string
	List      *pageList // of many connections; nil where each is shown
	Data      template.JS
	Answers   template.HTML // of a comparison
	Articles  []template.HTML
	Remember  []string
	Failed    []analyze.Expectation
	Met       int
	Explains  string
	Warnings  []string
	Tool      string
	NotInPage string
}

// writeHTML writes r as a page that needs nothing but itself. Of more than maxPage
// connections, all is how many there are.
func writeHTML(w io.Writer, r *analyze.Result, all int) error {
	p := newPage(documentTitle(r))
	if r.Scenario == "" && r.Capture.Title != "" && r.Capture.Title != r.Capture.Source {
		p.Source = Safe(r.Capture.Source)
	}
	p.Facts, p.Tool = pageFacts(r, all), Safe(r.Tool)
	p.Remember, p.Explains, p.Warnings = safeAll(r.Remember), Safe(r.Explains), safeAll(Warnings(r))
	for _, e := range r.Expectations {
		if e.OK {
			p.Met++
			continue
		}
		p.Failed = append(p.Failed, analyze.Expectation{At: Safe(e.At), Text: Safe(e.Text), Got: Safe(e.Got)})
	}
	if all > len(r.Connections) {
		p.NotInPage = count(uint64(all-len(r.Connections)), "connection") + " not in this page: narrow the choice with --ending, --host or --conn"
	}
	if showsEach(r) {
		o := outlineOf(r)
		for _, c := range r.Connections {
			p.Articles = append(p.Articles, template.HTML(connectionArticle(o, c, len(r.Connections) == 1)))
		}
	} else {
		list, data, err := newPageList(r)
		if err != nil {
			return err
		}
		p.List, p.Data = list, template.JS(data)
	}
	return p.write(w)
}

// showsEach reports whether the page shows every connection from the start.
func showsEach(r *analyze.Result) bool {
	n := len(r.Connections)
	return n <= detailedConnections || len(r.Calls) > 0 && n <= CallsShown
}

func newPage(title string) *page {
	css := pageCSS + diagramCSS
	return &page{
		Title: title, CSS: template.CSS(css), JS: template.JS(pageJS),
		Policy: fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'",
			sourceHash(pageJS), sourceHash(css)),
	}
}

// sourceHash names an inline source for a Content-Security-Policy.
func sourceHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func (p *page) write(w io.Writer) error {
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write html: %w", err)
	}
	return nil
}

// pageFacts says where the evidence comes from.
func pageFacts(r *analyze.Result, all int) []string {
	var facts []string
	if len(r.Connections) == 1 {
		facts = append(facts, ends(r.Connections[0]))
	} else {
		facts = append(facts, count(uint64(all), "connection"))
	}
	if r.Kernel != nil && r.Kernel.Release != "" {
		facts = append(facts, "Linux "+Safe(r.Kernel.Release))
	}
	if w := namespaceWords(r.Kernel); w != "" {
		facts = append(facts, w)
	}
	if r.Capture.Packets > 0 {
		facts = append(facts, count(r.Capture.Packets, "packet"))
	}
	if len(r.Calls) > 0 {
		facts = append(facts, count(uint64(len(r.Calls)), "call"))
	}
	if r.Capture.First != 0 {
		facts = append(facts, strings.SplitN(r.Capture.First.String(), "T", 2)[0]+" "+clock(r.Capture.First))
	}
	return facts
}

func safeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Safe(s)
	}
	return out
}
