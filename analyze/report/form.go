package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/compare"
	"github.com/closecap/closecap/analyze/suggest"
)

// Format is how a result is written.
type Format string

// The formats. What each is stands in forms.
const (
	Table    Format = "table"
	JSON     Format = "json"
	NDJSON   Format = "ndjson"
	CSV      Format = "csv"
	Markdown Format = "markdown"
	Ladder   Format = "ladder"
	SVG      Format = "svg"
	Mermaid  Format = "mermaid"
	HTML     Format = "html"
	Zeek     Format = "zeek"
	ZeekJSON Format = "zeek-json"
)

// form is a format with what can be written in it and how. A new format is a row in forms and a
// file with its body.
type form struct {
	format Format
	about  string // in a few words
	nick   string // another name by which it is asked for

	connectionsOnly bool // each connection leaves as it comes, and nothing else of the result is shown
	forTerminal     bool // what a person reads in a terminal, where results stand below each other
	summary         bool // of many connections it can have a summary alone
	compat          bool // it shows what other tools would say of a connection

	connections func(*Stream) body
	catalogue   func(io.Writer, *analyze.Catalogue, Options) error        // nil: not in this format
	comparison  func(io.Writer, *compare.Comparison, bool, Options) error // nil: not in this format
}

// body writes connections in one format.
type body interface {
	// connection adds a finished connection, and may keep it unless the form is connectionsOnly.
	connection(c *analyze.Connection) error
	// finish ends the output. r is the body's own copy of the result; its connections are those
	// that were handed over, if they are there at all.
	finish(r *analyze.Result) error
}

// forms are the formats in the order of a help text.
var forms = []form{
	{format: Table, about: "what fits the terminal", forTerminal: true, summary: true,
		connections: newTableBody, catalogue: catalogueIn(Table), comparison: comparisonIn(Table)},
	{format: Ladder, about: "a sequence diagram for the terminal", forTerminal: true, connections: newLadderBody},
	{format: SVG, about: "a sequence diagram as a picture", connections: newSVGBody},
	{format: Mermaid, about: "a sequence diagram for a document", connections: newMermaidBody},
	{format: HTML, about: "a page for a browser", compat: true, connections: newHTMLBody, comparison: writeComparisonHTML},
	{format: JSON, about: "one document", compat: true,
		connections: newDocumentBody, catalogue: writeCatalogueJSON, comparison: writeComparisonJSON},
	{format: NDJSON, about: "one connection a line", connectionsOnly: true, compat: true,
		connections: newNDJSONBody, catalogue: writeCatalogueNDJSON},
	{format: CSV, about: "one connection a line, under a heading", connectionsOnly: true, compat: true,
		connections: newCSVBody, catalogue: writeCatalogueCSV},
	{format: Zeek, about: "one connection a line, as Zeek's conn.log", connectionsOnly: true, compat: true, connections: newZeekBody},
	{format: ZeekJSON, about: "the same in JSON, as Zeek's", connectionsOnly: true, compat: true, connections: newZeekJSONBody},
	{format: Markdown, about: "a table for a document", nick: "md", summary: true,
		connections: newTableBody, catalogue: catalogueIn(Markdown), comparison: comparisonIn(Markdown)},
}

// formOf returns the row of f, the table's for a format that there is not.
func formOf(f Format) *form {
	return &forms[max(0, slices.IndexFunc(forms, func(row form) bool { return row.format == f }))]
}

// those returns the formats whose rows are picked.
func those(pick func(*form) bool) []Format {
	var all []Format
	for i := range forms {
		if pick(&forms[i]) {
			all = append(all, forms[i].format)
		}
	}
	return all
}

// Formats lists the formats in the order of a help text.
func Formats() []Format { return those(func(*form) bool { return true }) }

// CatalogueFormats lists the formats that WriteCatalogue knows.
func CatalogueFormats() []Format { return those(func(f *form) bool { return f.catalogue != nil }) }

// ComparisonFormats lists the formats that WriteComparison knows.
func ComparisonFormats() []Format { return those(func(f *form) bool { return f.comparison != nil }) }

// SummaryFormats lists the formats that Options.Summary is for.
func SummaryFormats() []Format { return those(func(f *form) bool { return f.summary }) }

// About says in a few words what f is.
func (f Format) About() string { return formOf(f).about }

// ConnectionsOnly reports whether f shows connections as they come and nothing else: no warning
// of the result, and no connection is kept.
func (f Format) ConnectionsOnly() bool { return formOf(f).connectionsOnly }

// ShowsCompat reports whether f shows what other tools would say of a connection.
func (f Format) ShowsCompat() bool { return formOf(f).compat }

// ForTerminal reports whether f is read in a terminal.
func (f Format) ForTerminal() bool { return formOf(f).forTerminal }

// ParseFormat reads a format's name. The error names the nearest one.
func ParseFormat(name string) (Format, error) {
	for _, f := range forms {
		if name == string(f.format) {
			return f.format, nil
		}
		if name != "" && name == f.nick {
			return "", fmt.Errorf("unknown format %q: did you mean %q?", name, f.format)
		}
	}
	return "", suggest.Unknown("format", name, formatNames(Formats()))
}

// Or names alternatives: "table, json or markdown".
func Or(formats []Format) string { return joined(formatNames(formats), " or ") }

// And names all of them: "table and markdown".
func And(formats []Format) string { return joined(formatNames(formats), " and ") }

func formatNames(formats []Format) []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return names
}
