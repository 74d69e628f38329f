package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
)

// lastWordsSentences tell why it ended in the words of what was said on it, and what the ends said last, in the order in which they said it, as far as it bears on
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
		if w := *c.LastWords.Of(side); w != nil && !w.Quoted && (w.Tells || w.Text != "") {
			all = append(all, spoken{side, w})
		}
	}
	slices.SortStableFunc(all, func(a, b spoken) int { // what was not said comes last
		return cmp.Compare(a.words.Frame-1, b.words.Frame-1)
	})
	var lines []string
	if why := c.LastWords.Reason; why != "" {
		lines = append(lines, "Why: "+sureSentence(Safe(why), c.LastWords.Confidence))
	}
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
	return sureSentence(text, w.Confidence)
}

// wordsOf is what an end said last in its protocol's words, else the last text.
func wordsOf(w *analyze.Words) string {
	if w == nil {
		return ""
	}
	return cmp.Or(w.Meaning, w.Text)
}

func sureSentence(text string, sure analyze.Confidence) string {
	if sure == analyze.Inferred {
		return text + ". This is inferred."
	}
	return text + "."
}
