package report

import (
	"strings"

	"github.com/closecap/closecap/analyze/terminal"
)

// Safe makes s harmless to a terminal. All that a report shows and did not write itself goes
// through it.
func Safe(s string) string { return terminal.Safe(s) }

// quoted puts s in quotes, at most limit characters of it, so that its end is visible.
func quoted(s string, limit int) string {
	if strings.ContainsAny(s, `\"`) {
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	}
	return `"` + shorten(Safe(s), limit) + `"`
}

// shorten cuts s to limit characters, the last of them an ellipsis. It looks no further than
// that into s.
func shorten(s string, limit int) string {
	if limit <= 0 || len(s) <= limit {
		return s
	}
	n, end := 0, 0
	for i := range s {
		if n == limit-1 {
			end = i
		}
		if n == limit {
			return s[:end] + "…"
		}
		n++
	}
	return s
}

// ShellQuote writes a word for the shell, in quotes where it needs them.
func ShellQuote(s string) string {
	special := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_./:=,+-@%", r))
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
