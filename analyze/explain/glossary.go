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
	{"Beside an ending", "likely call", "what the application may have called, where no calls were recorded"},
	{"Beside an ending", "Why", "what the ends had said, or not said, in their own protocol (last-words)"},
	{"Beside an ending", "evicted", "given up unfinished, to bound the memory"},
	{"Segments", "retransmitted", "sent again: the bytes were on the wire before"},
	{"Segments", "seems lost", "sent again by its sender, or never acknowledged"},
	{"Segments", "ignored", "it came, and its receiver did not act on it"},
	{"Segments", "challenge ACK", "the answer to an RST or SYN that may be forged (RFC 5961)"},
	{"Segments", "keep-alive probe", "asks for an ACK where nothing is to be sent"},
	{"Segments", "window probe", "asks whether a window of 0 has opened"},
}

// headings are the titles of columns.
var headings = []Term{
	{columns, "#", "number: of a call or frame, as Wireshark counts; in a list, of the connection (--conn)"},
	{columns, "conn", "number of the connection"},
	{columns, "client → server", "both ends; the client sent the first SYN"},
	{columns, "start (UTC)", "time of the first packet"},
	{columns, "lasted", "from the first packet to the last"},
	{columns, "bytes →", "payload that the client sent"},
	{columns, "bytes ←", "payload that the server sent"},
	{columns, "ending (closer)", "how it ended, and in brackets the first closer; of a reset by whom, and the cause"},
	{columns, "lost", "bytes that were lost, of whatever kind"},
	{columns, "warnings", "how many; the connection alone (--conn) shows them"},
	{columns, "ms", "milliseconds since the first row; of a scenario, how long it took"},
	{columns, "call", "the system call, after the actor or process that made it"},
	{columns, "result", "what the call returned, and by which frame"},
	{columns, "wire events it caused", "the packets that left because of the call, and what answered them"},
	{columns, "wire event", "a packet"},
	{columns, "seq", "the bytes of its stream that a packet has, from:to; both streams begin at 0 with the SYN"},
	{columns, "ack", "up to where it acknowledges the other stream"},
	{columns, "len", "bytes of payload"},
	{columns, "notes", "what a packet acknowledges, repeats or answers"},
	{columns, "share", "of all connections"},
	{columns, "held by", "whose TIME_WAIT it is; of a socket, the processes with their descriptors"},
	{columns, "per second", "how often a TIME_WAIT begins"},
	{columns, "steady", "how many TIME_WAITs stand at a time, if it goes on so"},
	{columns, "ports", "the part of the ephemeral ports that these take"},
	{columns, "for", "how long the socket has been in its state; ≥ is at least"},
	{columns, "explain", "the topic that says more"},
	{columns, "expectations met", "how many lines expect of the script hold"},
}

const columns = "Columns of the tables"

// Glossary returns the words of the output: the codes of endings, causes, ends, confidences, states and findings
// as they are, what is written beside them, and the columns.
func Glossary() []Term {
	terms := codeTerms(nil, "Endings", analyze.EndingCodes())
	terms = codeTerms(terms, "Causes of an RST", analyze.CauseCodes())
	terms = codeTerms(terms, "Who", analyze.CloserCodes())
	terms = codeTerms(terms, "How sure", analyze.ConfidenceCodes())
	terms = codeTerms(terms, "States of an end (RFC 9293 3.3.2)", analyze.StateCodes())
	terms = append(terms, otherTerms...)
	terms = codeTerms(terms, "Worth a look (--finding)", analyze.FindingCodes())
	return append(terms, headings...)
}

func codeTerms[T comparable](terms []Term, group string, codes []analyze.Code[T]) []Term {
	for _, c := range codes {
		terms = append(terms, Term{group, fmt.Sprint(c.Code), c.Means})
	}
	return terms
}
