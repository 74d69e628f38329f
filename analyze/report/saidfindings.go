package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// idleLeast is of how many connections it is said after what time a server closes idle ones; between the longest and
// the shortest there may be a twentieth, or idleRange.
const (
	idleLeast = 3
	idleRange = 50 * time.Millisecond
)

// said takes in why a connection ended, in the words of what was said on it last.
func (f *findings) said(c *analyze.Connection) {
	w := c.LastWords
	if w.Said != "" {
		f.group(analyze.FoundSaid, findingKey{server: c.Server, said: w.Said}, c.ID, c.Closer, w.Confidence)
	}
	at := findingKey{server: c.Server}
	switch {
	case analyze.FoundCut.Found(c):
		f.group(analyze.FoundCut, at, c.ID, c.Closer, w.Confidence)
	case analyze.FoundTransfer.Found(c):
		f.group(analyze.FoundTransfer, findingKey{server: c.Transfer.Server}, c.ID, c.Closer, w.Confidence)
	case analyze.FoundOutstanding.Found(c):
		f.group(analyze.FoundOutstanding, at, c.ID, c.Closer, w.Confidence)
	case analyze.FoundIdle.Found(c):
		f.group(analyze.FoundIdle, at, c.ID, c.Closer, w.Confidence).idled(w.IdleNS)
	}
}

// idled takes in for how long nobody had said anything.
func (g *findingGroup) idled(ns int64) {
	if g.Idle == nil {
		g.Idle = &analyze.IdleRange{Server: analyze.Range{Least: ns, Most: ns}}
	}
	widen(&g.Idle.Server, ns)
}

// isRule reports whether what a server did is always the same, so that it is its rule.
func isRule(f *analyze.Finding) bool {
	r := f.Idle.Server
	return f.Connections >= idleLeast && r.Most-r.Least <= max(r.Most/20, int64(idleRange))
}

// saidWords says what a finding is that is made of last words, or of closes in one moment.
func saidWords(f *analyze.Finding) string {
	at, n := f.Server.String(), findingCount(f)
	switch f.Kind {
	case analyze.FoundAtOnce:
		of := "all that were open"
		if f.Others > 0 {
			of = fmt.Sprintf("of %s that were open", grouped(f.Connections+f.Others))
		}
		return fmt.Sprintf("%s closed %s within %s, %s: so does a server that stops or is restarted", at, n, span(time.Duration(f.NS)), of)
	case analyze.FoundSaid:
		return fmt.Sprintf("%s: %s ended with %s", at, n, Safe(f.Said))
	case analyze.FoundCut:
		return fmt.Sprintf("%s: %s closed %s in the middle of a message", at, closers(f.By), n)
	case analyze.FoundTransfer:
		return fmt.Sprintf("%s, FTP: %s carried files that are cut, or not known to be whole", at, n)
	case analyze.FoundOutstanding:
		return fmt.Sprintf("%s closed %s with a request unanswered", at, n)
	}
	return fmt.Sprintf("%s closes connections that were idle for %s (%s)", at, spans(f.Idle.Server), n)
}

func closers(by analyze.Side) string {
	if by == analyze.NoSide {
		return "either end"
	}
	return "the " + string(by)
}

// plainPart is what a peer said, up to where that would not be the same on every terminal.
func plainPart(s string) string {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if i := strings.IndexFunc(s, odd); i >= 0 {
		s = s[:i]
	}
	return s
}

func clockUTC(t event.Time) string { return time.Unix(0, int64(t)).UTC().Format(time.RFC3339Nano) }
