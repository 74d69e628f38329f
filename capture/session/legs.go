package session

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Two connections may be the legs of a relay: a thread opened one when what it had accepted, or received last, was of the
// other. They are handed out together, since package join ties what is in one recording.
const (
	// legsWait is how long a connection of which nothing more can come waits for those that may be its other leg.
	legsWait = quietClosed
	// maxLegs bounds how many sockets are opened for one: who opens more is no relay.
	maxLegs = 8
)

// mayRelay notes for which socket k may have been opened, or that what is opened next may be for k.
func (s *Session) mayRelay(k *socket, c *event.Call) {
	switch kind := c.Kind(); {
	case k.cookie == 0:
	case kind == event.ConnectCall && !c.IsDisconnect():
		front := s.sockets[s.took[c.TID]]
		if k.opens = true; front != nil && front != k && k.front == nil && len(front.backs) < maxLegs {
			k.front, front.backs = front, append(front.backs, k)
		}
	case !k.opens && s.took[c.TID] != k.cookie && (kind == event.RecvCall && c.Ret > 0 || kind == event.AcceptCall && c.Errno == ""):
		s.took[c.TID] = k.cookie
		if !slices.Contains(k.takers, c.TID) {
			k.takers = append(k.takers, c.TID)
		}
	}
}

// letGoLegs forgets for which sockets k may have been opened, and which for it.
func (s *Session) letGoLegs(k *socket) {
	for _, tid := range k.takers {
		if s.took[tid] == k.cookie {
			delete(s.took, tid)
		}
	}
	for _, back := range k.backs {
		back.front = nil
	}
	if k.front != nil {
		k.front.backs = slices.DeleteFunc(k.front.backs, func(back *socket) bool { return back == k })
	}
}

// legs are the sockets of which the connections may be other legs of k's.
func (k *socket) legs() []*socket {
	if k.front == nil {
		return k.backs
	}
	return append([]*socket{k.front}, k.backs...)
}

// over returns the connections with which c is to be handed out, and their sockets; none where it is not to be yet.
func (c *conn) over(now event.Time, end bool) ([]*conn, []*socket) {
	conns, sockets := c.cluster(true)
	if end || isOver(conns, sockets, now) {
		return conns, sockets
	}
	if conns, sockets = c.cluster(false); isOver(conns, sockets, now.Add(-legsWait)) {
		return conns, sockets
	}
	return nil, nil
}
