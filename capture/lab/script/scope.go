package script

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

func (s *scope) directive(st *Step) error {
	switch st.Directive {
	case "actor":
		if err := s.room(st.Other); err != nil {
			return err
		}
		s.add(st.Other)
		s.initial = append(s.initial, st.Other)
	case "kill":
		if err := s.alive(st.Actor); err != nil {
			return err
		}
		s.gone[st.Actor] = true
	case "drop", "pass":
		if err := s.alive(st.Actor); err != nil {
			return err
		}
		if err := s.open(st); err != nil {
			return err
		}
		target := st.Actor + ":" + st.Socket
		if st.Directive == "pass" && !s.drops[target] {
			return fmt.Errorf("nothing is dropped at %s: pass ends an earlier drop", strings.TrimSuffix(target, ":"))
		}
		s.drops[target] = st.Directive == "drop"
	case "until":
		if !s.has(st.Actor) {
			return suggest.Unknown("actor", st.Actor, s.names())
		}
		return s.open(st)
	}
	return nil
}

func (s *scope) call(st *Step) error {
	if err := s.alive(st.Actor); err != nil {
		return err
	}
	if st.Verb.Name == "listen" && st.Socket == "" {
		st.Socket = listenerName
	}
	if st.Verb.Use == NoSocket && st.Socket != "" {
		return fmt.Errorf("%s concerns the whole process: write %s %s", st.Verb.Name, st.Actor, st.Verb.Name)
	}
	mine := s.sockets[st.Actor]
	switch st.Verb.Name {
	case "accept":
		if !mine[st.Other] {
			return fmt.Errorf("%s has no socket %s to accept from%s", st.Actor, st.Other, s.opened(st.Actor))
		}
	case "dup":
		if err := s.open(st); err != nil {
			return err
		}
		mine[st.Other] = true
		return nil
	case "fork":
		if err := s.room(st.Other); err != nil {
			return err
		}
		s.sockets[st.Other] = maps.Clone(mine)
	case "exit":
		s.gone[st.Actor] = true
	case "join":
		if s.pending[st.Actor]--; s.pending[st.Actor] < 0 {
			return fmt.Errorf("%s has no call to join: %s& begins one", st.Actor, st.Actor)
		}
	}
	if st.Background {
		s.pending[st.Actor]++
	}
	switch st.Verb.Use {
	case OpensSocket, MakesSocket:
		mine[st.Socket] = true
	case UsesSocket:
		return s.open(st)
	}
	return nil
}

// open returns an error unless an earlier line opened the step's socket.
func (s *scope) open(st *Step) error {
	if s.sockets[st.Actor][st.Socket] {
		return nil
	}
	what := "no connection yet"
	if st.Socket != "" {
		what = "no socket " + st.Socket
	}
	return fmt.Errorf("%s has %s%s", st.Actor, what, s.opened(st.Actor))
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
