package script

import (
	"fmt"
	"strings"
)

// Target returns the words with which the line at that place addresses the actor's socket: the
// actor, or ACTOR:SOCKET. It is "" where the line makes no call of that actor. at is as in
// event.Call.At.
func (s *Script) Target(at, actor string) string {
	for i := range s.Steps {
		st := &s.Steps[i]
		for _, one := range append([]*Step{st}, st.With...) {
			if one.At != at || one.Actor != actor {
				continue
			}
			if one.Socket == "" || one.Socket == listenerName {
				return one.Actor
			}
			return one.Actor + ":" + one.Socket
		}
	}
	return ""
}

// Variation returns the script up to the line at that place, with the lines of before right
// before it and those of after instead of all that followed. Its expect lines are left out:
// a variation is made to ask, not to assert.
func (s *Script) Variation(name, at string, before, after []string) (*Script, error) {
	var lines []string
	found := false
	for _, st := range s.Steps {
		if found = st.At == at; found {
			lines = append(lines, before...)
		}
		if st.Directive != "expect" {
			lines = append(lines, st.Text)
		}
		if found {
			break
		}
	}
	if !found {
		return nil, fmt.Errorf("vary %s: no call at %s", s.Name, at)
	}
	lines = append(lines, after...)
	v, err := Parse(name, []byte("# "+name+"\n\n"+strings.Join(lines, "\n")+"\n"))
	if err != nil {
		return nil, fmt.Errorf("vary %s: %w", s.Name, err)
	}
	v.Explains = s.Explains
	return v, nil
}
