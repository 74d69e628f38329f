package script

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/suggest"
)

// Step is one line of a script, ready to run.
type Step struct {
	At   string // "file:line"
	Text string // the line as written

	Directive  string // "" for a call
	Verb       *Verb  // of a call
	Actor      string
	Socket     string // the socket's name in its actor; "" is the actor's connection
	Background bool
	With       []*Step // what other actors do at the same time: "client+server close"
	Op         Op
	Port       Port
	Unspec     bool   // connect to AF_UNSPEC
	Other      string // the listener of accept, the name that dup and fork give
	Want       string

	Duration time.Duration     // wait
	State    event.TCPState    // until
	Together bool              // until: not a state, but due together
	Setting  [2]string         // sysctl: name and value
	Optional bool              // sysctl: older kernels lack it
	Expect   event.Expectation // expect
}

// Clone returns a copy that a run may fill in.
func (st *Step) Clone() *Step {
	c := *st
	c.With = make([]*Step, len(st.With))
	for i, w := range st.With {
		c.With[i] = w.Clone()
	}
	return &c
}

// Port is a port, by default relative to the server's.
type Port struct {
	n        uint16
	Absolute bool // n is the port itself
}

// MaxOffset is the furthest port beside the server's that a script may name.
const MaxOffset = 15

// Resolve returns the port number where base is the server's.
func (p Port) Resolve(base uint16) uint16 {
	if p.Absolute {
		return p.n
	}
	return base + p.n
}

// listenerName is the name under which `listen` without a name opens its socket.
const listenerName = "listener"

// Directive is a line that no actor's word begins.
type Directive struct {
	Name    string
	usage   string
	about   string
	private bool // works in the private namespace only
	parse   func(st *Step, w []token) error
}

// Directives is the vocabulary of lines that no actor begins.
var Directives = []Directive{
	{"expect", "expect SUBJECT …", "say what must come out", false, nil},
	{"actor", "actor NAME", "add a process beside client and server", false, parseActor},
	{"wait", "wait DURATION", "let time pass", false, parseWait},
	{"until", "until ACTOR[:SOCKET] STATE|due-together", "wait until the kernel shows that state", false, parseUntil},
	{"drop", "drop ACTOR[:SOCKET] KIND…", "its kernel no longer sees such segments; replaces an earlier drop", true, parseDrop},
	{"pass", "pass ACTOR[:SOCKET]", "its kernel sees all segments again", true, parsePass},
	{"kill", "kill ACTOR", "end the process by SIGKILL", false, parseKill},
	{"sysctl", "sysctl NAME VALUE [optional]", "set net.ipv4.NAME, if optional only where it exists", true, parseSysctl},
}

func findDirective(name string) *Directive {
	i := slices.IndexFunc(Directives, func(d Directive) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &Directives[i]
}

// DueTogether is what until waits for before the retransmissions of two ends are let through:
// that both timers fire in the same tick, so that both segments are sent before either arrives.
const DueTogether = "due-together"

func parseActor(st *Step, w []token) error {
	if len(w) != 1 || !isName(w[0].text) {
		return fmt.Errorf("actor: want one name")
	}
	st.Other = w[0].text
	return nil
}

func parseWait(st *Step, w []token) (err error) {
	if len(w) != 1 {
		return fmt.Errorf("wait: want a duration like 200ms")
	}
	if st.Duration, err = time.ParseDuration(w[0].text); err != nil || st.Duration < 0 {
		return fmt.Errorf("wait: %q is not a duration (200ms, 1.5s)", w[0].text)
	}
	return nil
}

func parseUntil(st *Step, w []token) error {
	if len(w) != 2 {
		return fmt.Errorf("until: want an actor and a state")
	}
	if w[1].text == DueTogether {
		st.Together = true
	} else if err := oneKnown("state", w[1].text, append([]string{DueTogether}, analyze.Names(analyze.StateCodes())...)); err != nil {
		return err
	}
	st.State, _ = event.ParseTCPState(w[1].text)
	return parseTarget(st, w[0].text)
}

func parseDrop(st *Step, w []token) error {
	if len(w) < 2 {
		return fmt.Errorf("drop: want an actor and kinds of segments (%s)", strings.Join(dropKinds, ", "))
	}
	if err := parseFlags(st, w[1:], "kind of segment", dropKinds); err != nil {
		return err
	}
	return parseTarget(st, w[0].text)
}

func parsePass(st *Step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("pass: want an actor")
	}
	return parseTarget(st, w[0].text)
}

func parseKill(st *Step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("kill: want an actor")
	}
	st.Actor = w[0].text
	return nil
}

func parseSysctl(st *Step, w []token) error {
	if len(w) < 2 {
		return fmt.Errorf("sysctl: want a name below net.ipv4 and a value")
	}
	name := w[0].text
	if strings.ContainsAny(name, "/.") {
		return fmt.Errorf("sysctl: %q is not a name below net.ipv4, like tcp_fin_timeout", name)
	}
	values := texts(w[1:])
	if n := len(values) - 1; n > 0 && values[n] == "optional" {
		st.Optional, values = true, values[:n]
	}
	st.Setting = [2]string{name, strings.Join(values, " ")}
	return nil
}

// split takes the first of a line's actors and returns the others: "client+server".
func split(word string) (first string, others []string) {
	names := strings.Split(word, "+")
	return names[0], names[1:]
}

// parseTarget reads "actor" or "actor:socket".
func parseTarget(st *Step, word string) error {
	var named bool
	st.Actor, st.Socket, named = strings.Cut(word, ":")
	if !isName(st.Actor) || named && !isName(st.Socket) {
		return fmt.Errorf("%q is not ACTOR or ACTOR:SOCKET", word)
	}
	return nil
}

// isName reports whether s is lower-case letters, digits and dashes after a letter.
func isName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || r == '-')) {
			return false
		}
	}
	return s != ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// oneKnown returns nil where word is one of known.
func oneKnown(what, word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	return suggest.Unknown(what, word, known)
}
