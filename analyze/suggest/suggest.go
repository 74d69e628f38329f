// Package suggest names the known word that a mistyped one was meant to be. It knows no words
// itself.
package suggest

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Unknown is the error for a word that is not among the known ones: it names the nearest, or all
// of them where none is near.
func Unknown(what, word string, known []string) error {
	if near := Nearest(word, known); near != "" {
		return fmt.Errorf("unknown %s %q: did you mean %q?", what, word, near)
	}
	return fmt.Errorf("unknown %s %q (known: %s)", what, word, strings.Join(known, ", "))
}

// Nearest returns the known word with the fewest edits from word, "" when none is near.
func Nearest(word string, known []string) string {
	best, least := "", len(word)/2+2
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}
