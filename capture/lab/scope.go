package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze/suggest"
)

// scope follows a script line by line and knows which actors and named sockets exist, so
// that a misspelt name is found before anything runs. A closed socket keeps its name: using
// it again is a lesson (EBADF), not a mistake.
type scope struct {
	sockets map[string]map[string]bool // actor -> socket names
	pending map[string]int             // actor -> background calls not joined
	gone    map[string]bool
	drops   map[string]bool // "actor:socket" -> a filter is attached
	initial []string
}

func newScope() *scope {
	s := &scope{
		sockets: make(map[string]map[string]bool),
		pending: make(map[string]int),
		gone:    make(map[string]bool),
		drops:   make(map[string]bool),
	}
	s.add("client")
	s.add("server")
	s.initial = []string{"client", "server"}
	return s
}

// mostActors bounds the processes of a script, those of fork included: each is a program that
// the machine runs.
const mostActors = 64

// room returns an error where a script that adds an actor has too many.
func (s *scope) room(actor string) error {
	if s.has(actor) {
		return fmt.Errorf("there already is an actor %s", actor)
	}
	if len(s.sockets) >= mostActors {
		return fmt.Errorf("%s would be the %dth process: a script has at most %d", actor, mostActors+1, mostActors)
	}
	return nil
}

func (s *scope) add(actor string)      { s.sockets[actor] = make(map[string]bool) }
func (s *scope) has(actor string) bool { return s.sockets[actor] != nil }
func (s *scope) names() []string       { return sortedKeys(s.sockets) }
func (s *scope) alive(name string) error {
	if !s.has(name) {
		return suggest.Unknown("actor", name, s.names())
	}
	if s.gone[name] {
		return fmt.Errorf("%s no longer runs here", name)
	}
	return nil
}

func (s *scope) directive(st *step) error {
	switch st.directive {
	case "actor":
		if err := s.room(st.other); err != nil {
			return err
		}
		s.add(st.other)
		s.initial = append(s.initial, st.other)
	case "kill":
		if err := s.alive(st.actor); err != nil {
			return err
		}
		s.gone[st.actor] = true
	case "drop", "pass":
		if err := s.alive(st.actor); err != nil {
			return err
		}
		if err := s.open(st); err != nil {
			return err
		}
		target := st.actor + ":" + st.socket
		if st.directive == "pass" && !s.drops[target] {
			return fmt.Errorf("nothing is dropped at %s: pass ends an earlier drop", strings.TrimSuffix(target, ":"))
		}
		s.drops[target] = st.directive == "drop"
	case "until":
		if !s.has(st.actor) {
			return suggest.Unknown("actor", st.actor, s.names())
		}
		return s.open(st)
	}
	return nil
}

func (s *scope) call(st *step) error {
	if err := s.alive(st.actor); err != nil {
		return err
	}
	if st.verb.name == "listen" && st.socket == "" {
		st.socket = listenerName
	}
	if st.verb.use == noSocket && st.socket != "" {
		return fmt.Errorf("%s concerns the whole process: write %s %s", st.verb.name, st.actor, st.verb.name)
	}
	mine := s.sockets[st.actor]
	switch st.verb.name {
	case "accept":
		if !mine[st.other] {
			return fmt.Errorf("%s has no socket %s to accept from%s", st.actor, st.other, s.opened(st.actor))
		}
	case "dup":
		if err := s.open(st); err != nil {
			return err
		}
		mine[st.other] = true
		return nil
	case "fork":
		if err := s.room(st.other); err != nil {
			return err
		}
		s.sockets[st.other] = maps.Clone(mine)
	case "exit":
		s.gone[st.actor] = true
	case "join":
		if s.pending[st.actor]--; s.pending[st.actor] < 0 {
			return fmt.Errorf("%s has no call to join: %s& begins one", st.actor, st.actor)
		}
	}
	if st.background {
		s.pending[st.actor]++
	}
	switch st.verb.use {
	case opensSocket, makesSocket:
		mine[st.socket] = true
	case usesSocket:
		return s.open(st)
	}
	return nil
}

// open returns an error unless an earlier line opened the step's socket.
func (s *scope) open(st *step) error {
	if s.sockets[st.actor][st.socket] {
		return nil
	}
	what := "no connection yet"
	if st.socket != "" {
		what = "no socket " + st.socket
	}
	return fmt.Errorf("%s has %s%s", st.actor, what, s.opened(st.actor))
}

func (s *scope) opened(actor string) string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(s.sockets[actor])) {
		names = append(names, strings.TrimSuffix(actor+":"+n, ":"))
	}
	if names == nil {
		return ""
	}
	return " (it has " + strings.Join(names, ", ") + ")"
}
