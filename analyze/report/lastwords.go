package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
)

// lastWordsSentences tell what the ends said last, in the order in which they said it, as far as it bears on
// the ending.
func lastWordsSentences(c *analyze.Connection) []string {
	if c.LastWords == nil {
		return nil
	}
	type spoken struct {
		side  analyze.Side
		words *analyze.Words
	}
	var all []spoken
	for _, side := range [...]analyze.Side{analyze.Client, analyze.Server} {
		if w := *c.LastWords.Of(side); w != nil && (w.Tells || w.Text != "") {
			all = append(all, spoken{side, w})
		}
	}
	slices.SortStableFunc(all, func(a, b spoken) int { // what was not said comes last
		return cmp.Compare(a.words.Frame-1, b.words.Frame-1)
	})
	var lines []string
	for _, s := range all {
		lines = append(lines, wordsSentence(s.side, s.words))
	}
	return lines
}

func wordsSentence(side analyze.Side, w *analyze.Words) string {
	text := w.Meaning
	if !w.Tells {
		text = `"` + w.Text + `"`
	}
	text = Safe(text)
	if w.Frame == 0 {
		text = fmt.Sprintf("Of the %s: %s", side, text)
	} else {
		text = fmt.Sprintf("The %s's last words: %s (frame %d)", side, text, w.Frame)
		if !w.Acknowledged {
			text += ", of which no acknowledgment was seen"
		}
	}
	if w.Confidence == analyze.Inferred {
		return text + ". This is inferred."
	}
	return text + "."
}
