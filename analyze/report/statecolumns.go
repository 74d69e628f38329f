package report

import (
	"slices"

	"github.com/closecap/closecap/analyze"
)

// stateColumns says how a table shows the states of both ends.
type stateColumns int

const (
	statesApart  stateColumns = iota // a column each
	statesJoined                     // both in one column
	statesHidden
)

func (s stateColumns) columns() []column {
	switch s {
	case statesApart:
		return []column{{title: "client"}, {title: "server"}}
	case statesJoined:
		return []column{{title: "client\nserver"}}
	}
	return nil
}

// cells shows the states of a connection's ends after a row.
func (s stateColumns) cells(connection int, states [2]string, shown map[stateKey]string) []cell {
	client := stateCell(connection, states, analyze.Client, shown)
	server := stateCell(connection, states, analyze.Server, shown)
	switch s {
	case statesApart:
		return []cell{client, server}
	case statesJoined:
		return []cell{joinStates(client, server)}
	}
	return nil
}

// stateKey names one end of one connection.
type stateKey struct {
	connection int
	side       analyze.Side
}

// ditto stands where an end's state did not change.
const ditto = `"`

// stateCell shows the state of an end after a row, a ditto mark where it is as before.
func stateCell(connection int, states [2]string, side analyze.Side, shown map[stateKey]string) cell {
	state := Safe(states[lifeline(side)])
	if state == "" {
		return cell{}
	}
	key := stateKey{connection, side}
	if shown[key] == state {
		return styled(dim, ditto)
	}
	shown[key] = state
	return styled(bold, state)
}

// joinStates stacks both ends' states, or shows one mark when neither changed.
func joinStates(client, server cell) cell {
	switch {
	case len(client) == 0 && len(server) == 0:
		return cell{}
	case len(client) > 0 && len(server) > 0 && client[0].text == ditto && server[0].text == ditto:
		return client
	case len(client) == 0:
		client = text(" ")
	case len(server) == 0:
		return client
	}
	return append(slices.Clone(client), server...)
}

// statesAfter returns the states of both ends inferred once s has been seen.
func statesAfter(c *analyze.Connection, s *analyze.Segment) [2]string {
	return [2]string{stateAfter(c.States.Client, s), stateAfter(c.States.Server, s)}
}

// stateAfter returns the state that an end is in once s has been seen.
func stateAfter(changes []analyze.StateChange, s *analyze.Segment) string {
	state := ""
	for _, c := range changes {
		if c.Frame != 0 && c.Frame <= s.Frame || c.Frame == 0 && c.Time <= s.Time {
			state = c.State.String()
		}
	}
	return state
}
