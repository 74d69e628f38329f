// Package suggest names the known word that a mistyped one was meant to be. It knows no words
// itself.
package suggest

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// mostKnown is how many known words an error lists; who has more shows them by a command.
const mostKnown = 40

// Unknown is the error for a word that is not among the known ones: it names the nearest, or all
// of them where none is near and they are not too many.
func Unknown(what, word string, known []string) error {
	if near := Nearest(word, known); near != "" {
		return fmt.Errorf("unknown %s %q: did you mean %q?", what, word, near)
	}
	if len(known) > mostKnown {
		return fmt.Errorf("unknown %s %q", what, word)
	}
	return fmt.Errorf("unknown %s %q (known: %s)", what, word, strings.Join(known, ", "))
}

// Nearest returns the known word with the fewest edits from word, "" when none is near. Near is a word of
// which a third of the letters are others, or one of a short word; or some are missing, as in "rst", or too
// many behind it.
func Nearest(word string, known []string) string {
	word = strings.ToLower(word)
	best, least := "", len(word)/2+2
	for _, k := range known {
		d := levenshtein.ComputeDistance(word, strings.ToLower(k))
		short := d == len(k)-len(word) || strings.HasPrefix(word, strings.ToLower(k))
		if d < least && (short || d <= max(1, (len(word)+2)/3)) {
			best, least = k, d
		}
	}
	return best
}
