package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze"
)

func newMermaidBody(s *Stream) body {
	return &pictureBody{Stream: s, most: CallsShown, draw: func(s *Stream, r *analyze.Result) error {
		if len(r.Connections) > 0 {
			return writeMermaid(s.w, r)
		}
		_, err := fmt.Fprintf(s.w, "sequenceDiagram\n    %%%% %s\n", s.print.nothing())
		return err
	}}
}

// writeMermaid writes each connection of r as a Mermaid sequence diagram: what is to stand in
// a fenced block of a document. Several are separate diagrams with a comment between them.
func writeMermaid(w io.Writer, r *analyze.Result) error {
	o := outlineOf(r)
	for i, c := range r.Connections {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return fmt.Errorf("write mermaid: %w", err)
			}
		}
		if _, err := io.WriteString(w, mermaid(o, c)); err != nil {
			return fmt.Errorf("write mermaid: %w", err)
		}
	}
	return nil
}

func mermaid(o *outline, c *analyze.Connection) string {
	d := newDiagram(o, c)
	var b strings.Builder
	fmt.Fprintf(&b, "sequenceDiagram\n    %%%% %s\n", mermaidText(toASCII(svgTitle(o.result, c))))
	fmt.Fprintf(&b, "    participant client as %s\n    participant server as %s\n",
		mermaidText(d.endName(analyze.Client)+" "+c.Client.String()), mermaidText(d.endName(analyze.Server)+" "+c.Server.String()))
	for i := range d.rows {
		row := &d.rows[i]
		switch row.kind {
		case segmentKind, foldKind:
			fmt.Fprintf(&b, "    %s%s%s: %s\n", row.side, mermaidArrow(row), row.side.Other(), mermaidText(d.arrowText(row, false)))
		case callRowKind:
			if row.side == analyze.NoSide {
				fmt.Fprintf(&b, "    Note over client,server: %s\n", mermaidText(stepWords(row.call)))
			}
		}
		for column, labels := range d.sideLabels(row) {
			if len(labels) == 0 {
				continue
			}
			words := make([]string, len(labels))
			for i, l := range labels {
				words[i] = mermaidText(plainSpaces(l.text))
			}
			place := [2]string{"left of client", "right of server"}[column]
			fmt.Fprintf(&b, "    Note %s: %s\n", place, strings.Join(words, "<br/>"))
		}
	}
	for _, l := range underPicture(o, d, "") {
		fmt.Fprintf(&b, "    Note over client,server: %s\n", mermaidText(l))
	}
	return b.String()
}

// mermaidArrow is solid for what was sent once, dotted for what repeats, and ends in a cross
// where a segment seems lost.
func mermaidArrow(row *diagramRow) string {
	s := row.segments[0]
	line, head := "-", ">>"
	if s.Retransmits != 0 {
		line = "--"
	}
	if s.Lost != "" {
		head = "x"
	}
	return line + head
}

// mermaidText writes every character that may mean something to Mermaid, or to the Markdown
// and HTML around it, as an entity code.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range Safe(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" .,:()=+-_/?>'", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
