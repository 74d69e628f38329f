package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Target returns the words with which the line at that place addresses its socket: an actor,
// or ACTOR:SOCKET. It is "" where the line makes no call. at is as in event.Call.At.
func (s *Script) Target(at string) string {
	i := slices.IndexFunc(s.steps, func(st step) bool { return st.at == at })
	if i < 0 || s.steps[i].actor == "" {
		return ""
	}
	st := s.steps[i]
	if st.socket == "" || st.socket == listenerName {
		return st.actor
	}
	return st.actor + ":" + st.socket
}

// Variation returns the script up to the line at that place, with the lines of before right
// before it and those of after instead of all that followed. Its expect lines are left out:
// a variation is made to ask, not to assert.
func (s *Script) Variation(name, at string, before, after []string) (*Script, error) {
	var lines []string
	found, last := false, ""
	for _, st := range s.steps {
		if found = st.at == at; found {
			lines = append(lines, before...)
		}
		if st.directive != "expect" && st.at != last { // a line for several actors is several steps
			lines = append(lines, st.text)
		}
		if last = st.at; found {
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
