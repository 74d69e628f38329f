package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// step is one line of a script, ready to run.
type step struct {
	at   string // "file:line"
	text string // the line as written

	directive  string // "" for a call
	verb       *verb  // of a call
	actor      string
	socket     string // the socket's name in its actor; "" is the actor's connection
	background bool
	with       []*step // what other actors do at the same time: "client+server close"
	op         op
	port       portRef
	unspec     bool   // connect to AF_UNSPEC
	other      string // the listener of accept, the name that dup and fork give
	want       string

	duration time.Duration     // wait
	state    event.TCPState    // until
	together bool              // until: not a state, but due together
	setting  [2]string         // sysctl: name and value
	optional bool              // sysctl: older kernels lack it
	expect   event.Expectation // expect
}

// clone returns a copy that a run may fill in.
func (st *step) clone() *step {
	c := *st
	c.with = make([]*step, len(st.with))
	for i, w := range st.with {
		c.with[i] = w.clone()
	}
	return &c
}

// portRef is a port, by default relative to the server's.
type portRef struct {
	n        uint16
	absolute bool
}

// maxOffset is the furthest port beside the server's that a script may name.
const maxOffset = 15

func (p portRef) resolve(base uint16) uint16 {
	if p.absolute {
		return p.n
	}
	return base + p.n
}

// listenerName is the name under which `listen` without a name opens its socket.
const listenerName = "listener"

// directive is a line that no actor's word begins.
type directive struct {
	name    string
	usage   string
	about   string
	private bool // works in the private namespace only
	parse   func(st *step, w []token) error
}

var directiveTable = []directive{
	{"expect", "expect SUBJECT …", "say what must come out", false, nil},
	{"actor", "actor NAME", "add a process beside client and server", false, parseActor},
	{"wait", "wait DURATION", "let time pass", false, parseWait},
	{"until", "until ACTOR[:SOCKET] STATE|due-together", "wait until the kernel shows that state", false, parseUntil},
	{"drop", "drop ACTOR[:SOCKET] KIND…", "its kernel no longer sees such segments; replaces an earlier drop", true, parseDrop},
	{"pass", "pass ACTOR[:SOCKET]", "its kernel sees all segments again", true, parsePass},
	{"kill", "kill ACTOR", "end the process by SIGKILL", false, parseKill},
	{"sysctl", "sysctl NAME VALUE [optional]", "set net.ipv4.NAME, if optional only where it exists", true, parseSysctl},
}

func findDirective(name string) *directive {
	i := slices.IndexFunc(directiveTable, func(d directive) bool { return d.name == name })
	if i < 0 {
		return nil
	}
	return &directiveTable[i]
}

// dueTogether is what until waits for before the retransmissions of two ends are let through:
// that both timers fire in the same tick, so that both segments are sent before either arrives.
const dueTogether = "due-together"

func parseActor(st *step, w []token) error {
	if len(w) != 1 || !isName(w[0].text) {
		return fmt.Errorf("actor: want one name")
	}
	st.other = w[0].text
	return nil
}

func parseWait(st *step, w []token) (err error) {
	if len(w) != 1 {
		return fmt.Errorf("wait: want a duration like 200ms")
	}
	if st.duration, err = time.ParseDuration(w[0].text); err != nil || st.duration < 0 {
		return fmt.Errorf("wait: %q is not a duration (200ms, 1.5s)", w[0].text)
	}
	return nil
}

func parseUntil(st *step, w []token) error {
	if len(w) != 2 {
		return fmt.Errorf("until: want an actor and a state")
	}
	if w[1].text == dueTogether {
		st.together = true
	} else if err := oneKnown("state", w[1].text, append([]string{dueTogether}, tcpStates...)); err != nil {
		return err
	}
	st.state, _ = event.ParseTCPState(w[1].text)
	return parseTarget(st, w[0].text)
}

func parseDrop(st *step, w []token) error {
	if len(w) < 2 {
		return fmt.Errorf("drop: want an actor and kinds of segments (%s)", strings.Join(dropKinds, ", "))
	}
	if err := parseFlags(st, w[1:], "kind of segment", dropKinds); err != nil {
		return err
	}
	return parseTarget(st, w[0].text)
}

func parsePass(st *step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("pass: want an actor")
	}
	return parseTarget(st, w[0].text)
}

func parseKill(st *step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("kill: want an actor")
	}
	st.actor = w[0].text
	return nil
}

func parseSysctl(st *step, w []token) error {
	if len(w) < 2 {
		return fmt.Errorf("sysctl: want a name below net.ipv4 and a value")
	}
	name := w[0].text
	if strings.ContainsAny(name, "/.") {
		return fmt.Errorf("sysctl: %q is not a name below net.ipv4, like tcp_fin_timeout", name)
	}
	values := texts(w[1:])
	if n := len(values) - 1; n > 0 && values[n] == "optional" {
		st.optional, values = true, values[:n]
	}
	st.setting = [2]string{name, strings.Join(values, " ")}
	return nil
}

// split takes the first of a line's actors and returns the others: "client+server".
func split(word string) (first string, others []string) {
	names := strings.Split(word, "+")
	return names[0], names[1:]
}

// parseTarget reads "actor" or "actor:socket".
func parseTarget(st *step, word string) error {
	var named bool
	st.actor, st.socket, named = strings.Cut(word, ":")
	if !isName(st.actor) || named && !isName(st.socket) {
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
