package report

import (
	"fmt"
	"io"
	"strings"

	"closecap/analyze"
)

// writeHeader writes what the result is about in one line, and one for each connection where
// there are several.
func writeHeader(w io.Writer, r *analyze.Result, opt Options) error {
	var parts []string
	if r.Scenario != "" {
		parts = append(parts, opt.paint(bold, Safe(r.Scenario)))
	} else if r.Capture.Source != "" {
		parts = append(parts, opt.paint(bold, Safe(r.Capture.Source)))
	}
	if len(r.Connections) == 1 {
		parts = append(parts, ends(r.Connections[0]))
	}
	if r.Kernel != nil {
		if r.Kernel.Release != "" {
			parts = append(parts, "Linux "+Safe(r.Kernel.Release))
		}
		switch r.Kernel.Netns {
		case "private":
			parts = append(parts, "private namespace")
		case "host":
			parts = append(parts, "host namespace")
		}
	}
	if r.Scenario == "" && r.Capture.Packets > 0 {
		parts = append(parts, count(r.Capture.Packets, "packet"))
	}
	if len(parts) == 0 {
		return nil
	}
	if err := writeLine(w, opt, strings.Join(parts, " · ")); err != nil {
		return err
	}
	if len(r.Connections) < 2 {
		return nil
	}
	for _, c := range r.Connections {
		if err := writeLine(w, opt, fmt.Sprintf("  conn %d: %s", c.ID, ends(c))); err != nil {
			return err
		}
	}
	return nil
}

// ends writes a connection's addresses, the client's first.
func ends(c *analyze.Connection) string {
	s := c.Client.String() + " → " + c.Server.String()
	if c.Guessed {
		s += " (who is client is a guess: no SYN was captured)"
	}
	return s
}

// writeLine writes s and a line feed, wrapped to the terminal.
func writeLine(w io.Writer, opt Options, s string) error {
	return writeStyled(w, opt, line{text: s, hang: 2})
}

func writeStyled(w io.Writer, opt Options, l line) error {
	if _, err := io.WriteString(w, (cell{l}).wrap(opt.Width, opt)+"\n"); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
