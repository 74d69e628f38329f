package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze/diff"
)

// WriteDiffJSON writes a difference as one document.
func WriteDiffJSON(w io.Writer, d *diff.Difference) error { return writeJSON(w, "  ", d) }

// WriteDiff writes what changed, by service: each value whose share changed, with a connection that shows
// it and the evidence for how that one ended.
func WriteDiff(w io.Writer, d *diff.Difference) error {
	var b strings.Builder
	fmt.Fprintf(&b, "a: %s, %s\n", Safe(d.A.Source), count(d.A.Connections, "connection"))
	fmt.Fprintf(&b, "b: %s, %s\n", Safe(d.B.Source), count(d.B.Connections, "connection"))
	same := 0
	for i := range d.Services {
		s := &d.Services[i]
		if s.Same {
			same++
			continue
		}
		fmt.Fprintf(&b, "\n%s: %s -> %s%s\n", serviceName(s), grouped(s.A), count(s.B, "connection"), onlyIn(s))
		if s.A == 0 || s.B == 0 {
			continue
		}
		shown := map[string]bool{} // whose evidence stands there already
		for j := range s.Facts {
			diffFact(&b, &s.Facts[j], s, shown)
		}
	}
	b.WriteString("\n")
	for _, c := range []struct {
		name string
		of   *diff.Compared
	}{{"a", &d.A}, {"b", &d.B}} {
		if c.of.Gap != "" {
			fmt.Fprintf(&b, "warning: %s: %s\n", c.name, Safe(c.of.Gap))
		}
		for _, warning := range c.of.Warnings {
			fmt.Fprintf(&b, "warning: %s: %s\n", c.name, Safe(warning))
		}
	}
	fmt.Fprintf(&b, "%s of %s changed\n", grouped(uint64(len(d.Services)-same)), count(uint64(len(d.Services)), "service"))
	_, err := io.WriteString(w, b.String())
	return err
}

func serviceName(s *diff.Service) string {
	if s.Port == 0 {
		return "all services"
	}
	return fmt.Sprintf("port %d", s.Port)
}

func onlyIn(s *diff.Service) string {
	switch {
	case s.A == 0:
		return ", only in b"
	case s.B == 0:
		return ", only in a"
	}
	return ""
}

func diffFact(b *strings.Builder, f *diff.Fact, s *diff.Service, shown map[string]bool) {
	if !f.Changed {
		return
	}
	bytes := ""
	if f.BytesA+f.BytesB > 0 {
		bytes = fmt.Sprintf(", bytes %s -> %s", grouped(f.BytesA), grouped(f.BytesB))
	}
	fmt.Fprintf(b, "  %-10s  %-28s %s -> %s%s\n", f.Claim, Safe(f.Value), shareWords(f.A, s.A), shareWords(f.B, s.B), bytes)
	e := f.Example
	frames := ""
	if e.FirstFrame > 0 {
		frames = fmt.Sprintf(", frames %d to %d", e.FirstFrame, e.LastFrame)
	}
	as := fmt.Sprintf("    as in %s: #%d %s -> %s%s\n", e.Of, e.Connection, e.Client, e.Server, frames)
	b.WriteString(as)
	if shown[as] {
		return
	}
	shown[as] = true
	for _, why := range e.Why {
		fmt.Fprintf(b, "      because: %s\n", Safe(why))
	}
}

func shareWords(n, all uint64) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%s (%.1f %%)", grouped(n), 100*float64(n)/float64(all))
}
