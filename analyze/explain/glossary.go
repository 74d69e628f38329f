package explain

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
)

// Term is a word of the output, under the claim that it belongs to.
type Term struct{ Group, Word, Means string }

// otherTerms are the words that are no codes.
var otherTerms = []Term{
	{"Lost bytes", "never acknowledged", "sent, and the other end's kernel never said that it had them"},
	{"Lost bytes", "never read", "received, and closed or reset before the application read them"},
	{"Lost bytes", "after close", "came for a socket whose application had closed it"},
	{"Lost bytes", "discarded", "taken by a send call, and thrown away before they left"},
	{"Lost bytes", "in flight", "not acknowledged when the capture ended: not lost as far as is known"},
	{"Beside an ending", "half-close", "the time in which one end had closed its direction and the other had not"},
	{"Beside an ending", "simultaneous close", "each FIN left before the other came"},
	{"Beside an ending", "first closer", "the end that first ended its own sending, by FIN or RST"},
	{"Beside an ending", "trigger", "the segment that an RST answers"},
	{"Beside an ending", "stall", "the time in which a window of 0 kept the other end from sending"},
	{"Beside an ending", "evicted", "given up unfinished, to bound the memory"},
	{"Segments", "retransmitted", "sent again: the bytes were on the wire before"},
	{"Segments", "seems lost", "sent again by its sender, or never acknowledged"},
	{"Segments", "ignored", "it came, and its receiver did not act on it"},
	{"Segments", "challenge ACK", "the answer to an RST or SYN that may be forged (RFC 5961)"},
	{"Segments", "keep-alive probe", "asks for an ACK where nothing is to be sent"},
	{"Segments", "window probe", "asks whether a window of 0 has opened"},
}

// Glossary returns the words of the output: the codes of endings, causes, ends, confidences and states as
// they are, and what is written beside them.
func Glossary() []Term {
	terms := codeTerms(nil, "Endings", analyze.EndingCodes())
	terms = codeTerms(terms, "Causes of an RST", analyze.CauseCodes())
	terms = codeTerms(terms, "Who", analyze.CloserCodes())
	terms = codeTerms(terms, "How sure", analyze.ConfidenceCodes())
	terms = codeTerms(terms, "States of an end (RFC 9293 3.3.2)", analyze.StateCodes())
	return append(terms, otherTerms...)
}

func codeTerms[T comparable](terms []Term, group string, codes []analyze.Code[T]) []Term {
	for _, c := range codes {
		terms = append(terms, Term{group, fmt.Sprint(c.Code), c.Means})
	}
	return terms
}
