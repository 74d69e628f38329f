package report

import (
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// header writes what the result is about in one line, and one for each connection where
// there are several.
func (p *printer) header(r *analyze.Result) error {
	var parts []string
	if r.Scenario != "" {
		parts = append(parts, Safe(r.Scenario))
	} else if r.Capture.Source != "" {
		parts = append(parts, Safe(r.Capture.Source))
	}
	if p.opt.Command != "" {
		parts = append([]string{cutText(p.opt.Command, mostCommand)}, parts...)
	}
	if len(r.Connections) == 1 {
		parts = append(parts, ends(r.Connections[0]))
	}
	if r.Kernel != nil {
		if r.Kernel.Release != "" {
			parts = append(parts, "Linux "+Safe(r.Kernel.Release))
		}
		if w := namespaceWords(r.Kernel); w != "" {
			parts = append(parts, w)
		}
	}
	if r.Scenario == "" && r.Capture.Packets > 0 {
		parts = append(parts, count(r.Capture.Packets, "packet"))
	}
	if len(parts) == 0 {
		return nil
	}
	if err := p.title(titleOf(parts)); err != nil {
		return err
	}
	if len(r.Connections) < 2 {
		return nil
	}
	for _, c := range r.Connections {
		if err := p.print(line{text: fmt.Sprintf("  conn %d: %s", c.ID, ends(c)), hang: 4}); err != nil {
			return err
		}
	}
	return nil
}

// mostCommand is how many characters of a command a header shows.
const mostCommand = 60

// cutText makes s safe to show, and shows at most n characters of it.
func cutText(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		s = string(runes[:n-1]) + "…"
	}
	return Safe(s)
}

// titleOf joins parts so that lines break between them.
func titleOf(parts []string) string {
	for i := range parts {
		parts[i] = together(parts[i])
	}
	return strings.Join(parts, noBreak+"· ")
}

// namespaceWords says whether others use the network namespace as well, "" where that is not known.
func namespaceWords(k *analyze.Kernel) string {
	switch {
	case k == nil:
		return ""
	case k.Netns == "private":
		return "private namespace"
	case k.Netns == "host": // closecap's own, which may be a container's
		return "shared namespace"
	}
	return ""
}

// eachTitle is the title over several scenarios that ran each by itself.
func eachTitle(what string, k *analyze.Kernel) string {
	parts := []string{what}
	if k != nil {
		parts = append(parts, "Linux "+Safe(k.Release))
		if k.Netns == "private" {
			parts = append(parts, "each in a private namespace")
		}
	}
	return titleOf(parts)
}

// ends writes a connection's addresses, the client's first.
func ends(c *analyze.Connection) string {
	s := c.Client.String() + " → " + c.Server.String()
	if c.Guessed {
		s += " (who is client is a guess: no SYN was captured)"
	}
	return s
}

// wireHeader is the header where each connection has a title of its own.
func (p *printer) wireHeader(r *analyze.Result) error {
	if len(r.Connections) < 2 {
		return p.header(r)
	}
	head := *r
	head.Connections = nil
	return p.header(&head)
}
