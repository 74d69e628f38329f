package expect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/suggest"
)

// A script's expectation is a line
//
//	expect [connection N] SUBJECT ARGS
//
// SIDE is client or server: the ends of the connection (client sent the first SYN), not the
// actors. Without "connection N" the first connection is meant, by first frame.
//
//	subject       args as written                  Expectation.Args       met when
//	ending        CODE                             [CODE]                 the connection ended so
//	closer        SIDE | both | none               [SIDE]                 that end closed first
//	simultaneous  yes | no                         [yes]                  the FINs crossed
//	half-close    SIDE | none                      [SIDE]                 that end closed alone for a while, the other still sent or could
//	reset         CAUSE [by SIDE]                  [CAUSE] [CAUSE SIDE]   the RST that ended it had that cause and sender
//	no-reset                                       []                     no RST on the connection
//	lost          KIND N | bytes [N] | none        [KIND N] [none]        N bytes lost of that kind, or of all kinds together (N+: at least; without N: some); none: no byte lost
//	time-wait     SIDE | both | none               [SIDE]                 who holds TIME_WAIT at the end
//	state         SIDE STATE                       [SIDE STATE]           the kernel's newest sample of that end, up to and with call After
//	passed        SIDE STATE STATE…                [SIDE STATE STATE…]    the end went through these states in this order (others may lie between), all recorded
//	counter       NAME N | NAME N+                 [NAME N] [NAME N+]     TcpExt delta of the whole run is N, or at least N; not judged where Run.Counters is nil
//	wire          ITEM, ITEM…                      [ITEM ITEM…]           segments in this order (others may lie between)
//	no-wire       ITEM                             [ITEM]                 no such segment on the connection
//	caused        ITEM, ITEM… | nothing            [ITEM…] [nothing]      call After is the root call of such segments, in this order; nothing: of none
//	returned-by   ITEM | nothing                   [ITEM] [nothing]       such a segment made call After return
//	holder        ACTOR | none                     [ACTOR]                after call After that actor still holds the socket
//
// An ITEM is one string "[SIDE] KIND [N] [again]": "client FIN", "server DATA 12", "client FIN
// again". KIND is one of SYN SYN-ACK DATA FIN ACK RST KEEPALIVE PROBE CHALLENGE WINDOW ANY; a FIN
// or RST with data is FIN or RST. N is the payload length, "again" a retransmission. Only in
// caused and returned-by may SIDE be left out: any side.
//
// Codes are those of package analyze, kinds of lost bytes unacked, unread, after-close, discarded.
type subject struct {
	name  string
	usage string
	args  func(words []string) ([]string, error)
	judge judge // nil: it speaks of calls or of the whole run, which package join judges
}

// subjects are those of scripts; those with a judge are also for rules.
var subjects = []subject{
	{"ending", "ending CODE", oneOf("ending", endings...), judgeEnding},
	{"closer", "closer client|server|both|none", oneOf("closer", closers...), judgeCloser},
	{"simultaneous", "simultaneous yes|no", oneOf("answer", "yes", "no"), judgeSimultaneous},
	{"half-close", "half-close client|server|none", oneOf("side", "client", "server", "none"), judgeHalfClose},
	{"reset", "reset CAUSE [by client|server]", resetArgs, judgeReset},
	{"no-reset", "no-reset", noArgs, judgeNoReset},
	{"lost", "lost unacked|unread|after-close|discarded N, lost bytes [N], or lost none", lostArgs, judgeLost},
	{"time-wait", "time-wait client|server|both|none", oneOf("holder", closers...), judgeTimeWait},
	{"state", "state client|server STATE", stateArgs(1), nil},
	{"passed", "passed client|server STATE STATE…", stateArgs(64), judgePassed},
	{"counter", "counter NAME N, or NAME N+", counterArgs, nil},
	{"wire", "wire SIDE KIND [N] [again], …", itemArgs(true, ""), judgeWire},
	{"no-wire", "no-wire SIDE KIND [N] [again]", itemArgs(true, ""), judgeNoWire},
	{"caused", "caused [SIDE] KIND [N] [again], …, or caused nothing", itemArgs(false, "nothing"), nil},
	{"returned-by", "returned-by [SIDE] KIND, or returned-by nothing", itemArgs(false, "nothing"), nil},
	{"holder", "holder ACTOR|none", anyWord, nil},
}

// The words of expectations: the codes of package analyze, and the script's own.
var (
	endings   = analyze.Names(analyze.EndingCodes())
	causes    = analyze.Names(analyze.CauseCodes())
	sides     = analyze.Names(analyze.SideCodes())
	closers   = append(analyze.Names(analyze.CloserCodes()), "none")
	tcpStates = analyze.Names(analyze.StateCodes())
	lostKinds = []string{"unacked", "unread", "after-close", "discarded"}
)

// Parse reads the words that a script has after "expect". At and Text are the caller's.
func Parse(words []string) (event.Expectation, error) {
	var e event.Expectation
	if len(words) >= 2 && words[0] == "connection" {
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 {
			return e, fmt.Errorf("expect connection %s: want a number from 1", words[1])
		}
		e.Connection, words = n, words[2:]
	}
	if len(words) == 0 {
		return e, fmt.Errorf("expect: nothing is expected (subjects: %s)", strings.Join(names(subjects), ", "))
	}
	s := find(subjects, words[0])
	if s == nil {
		return e, suggest.Unknown("subject", words[0], names(subjects))
	}
	args, err := s.args(words[1:])
	if err != nil {
		return e, fmt.Errorf("%w (usage: expect %s)", err, s.usage)
	}
	e.Subject, e.Args = words[0], args
	return e, nil
}

// Subjects lists what a script can speak of.
func Subjects() []string { return names(subjects) }

// Judges reports whether Judge has an answer for a subject.
func Judges(name string) bool {
	s := find(subjects, name)
	return s != nil && s.judge != nil
}

// Usages lists what a script can expect.
func Usages() []string {
	all := make([]string, len(subjects))
	for i := range subjects {
		all[i] = subjects[i].usage
	}
	return all
}

func find(subjects []subject, name string) *subject {
	i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return &subjects[i]
}

func names(subjects []subject) []string {
	all := make([]string, len(subjects))
	for i := range subjects {
		all[i] = subjects[i].name
	}
	return all
}

func oneOf(what string, known ...string) func([]string) ([]string, error) {
	return func(words []string) ([]string, error) {
		if len(words) != 1 {
			return nil, fmt.Errorf("want one %s, got %d words", what, len(words))
		}
		return words, oneKnown(what, words[0], known)
	}
}

// oneKnown returns nil where word is one of known.
func oneKnown(what, word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	return suggest.Unknown(what, word, known)
}

func noArgs(words []string) ([]string, error) {
	if len(words) != 0 {
		return nil, fmt.Errorf("unexpected %q", words[0])
	}
	return []string{}, nil
}

func anyWord(words []string) ([]string, error) {
	if len(words) != 1 {
		return nil, fmt.Errorf("want one word, got %d", len(words))
	}
	return words, nil
}

func resetArgs(words []string) ([]string, error) {
	if len(words) == 3 && words[1] == "by" {
		words = []string{words[0], words[2]}
	} else if len(words) != 1 {
		return nil, fmt.Errorf("want a cause, and by whom")
	}
	if err := oneKnown("cause", words[0], causes); err != nil {
		return nil, err
	}
	if len(words) == 2 {
		return words, oneKnown("side", words[1], sides)
	}
	return words, nil
}

func lostArgs(words []string) ([]string, error) {
	if len(words) == 1 && (words[0] == "none" || words[0] == "bytes") {
		return words, nil
	}
	if len(words) != 2 {
		return nil, fmt.Errorf("want a kind and a number of bytes")
	}
	if err := oneKnown("kind of lost bytes", words[0], append(lostKinds, "bytes")); err != nil {
		return nil, err
	}
	return words, number(strings.TrimSuffix(words[1], "+"))
}

func stateArgs(most int) func([]string) ([]string, error) {
	return func(words []string) ([]string, error) {
		if len(words) < 2 || len(words) > 1+most {
			return nil, fmt.Errorf("want a side and a state")
		}
		if err := oneKnown("side", words[0], sides); err != nil {
			return nil, err
		}
		for _, w := range words[1:] {
			if err := oneKnown("state", w, tcpStates); err != nil {
				return nil, err
			}
		}
		return words, nil
	}
}

func counterArgs(words []string) ([]string, error) {
	if len(words) != 2 {
		return nil, fmt.Errorf("want a counter's name and a number")
	}
	return words, number(strings.TrimSuffix(words[1], "+"))
}

func number(word string) error {
	if _, err := strconv.ParseUint(word, 10, 63); err != nil {
		return fmt.Errorf("%q is not a number", word)
	}
	return nil
}

// itemArgs reads comma-separated items; alone is a word that may stand instead of them.
func itemArgs(needSide bool, alone string) func([]string) ([]string, error) {
	return func(words []string) ([]string, error) {
		if len(words) == 0 {
			return nil, fmt.Errorf("want a kind of segment")
		}
		if alone != "" && len(words) == 1 && words[0] == alone {
			return words, nil
		}
		var items []string
		for item := range strings.SplitSeq(strings.Join(words, " "), ",") {
			fields := strings.Fields(item)
			if err := checkItem(fields, needSide); err != nil {
				return nil, err
			}
			items = append(items, strings.Join(fields, " "))
		}
		return items, nil
	}
}

func checkItem(fields []string, needSide bool) error {
	if len(fields) > 0 && slices.Contains(sides, fields[0]) {
		fields = fields[1:]
	} else if needSide {
		return fmt.Errorf("a segment begins with its side, client or server")
	}
	if len(fields) == 0 {
		return fmt.Errorf("want a kind of segment")
	}
	if err := oneKnown("kind of segment", fields[0], event.SegmentWords); err != nil {
		return err
	}
	fields = fields[1:]
	if len(fields) > 0 && number(fields[0]) == nil {
		fields = fields[1:]
	}
	if len(fields) > 0 && fields[0] == "again" {
		fields = fields[1:]
	}
	if len(fields) > 0 {
		return fmt.Errorf("unexpected %q in a segment", fields[0])
	}
	return nil
}
