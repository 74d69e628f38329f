//go:build amd64 || arm64

package trace

import "net/netip"

// announce tells of what the socket has become, if that is news.
func (t *tracer) announce(s *socket) {
	n := Socket{Cookie: s.id, Local: s.local, Remote: s.remote, State: Connected}
	switch {
	case s.listening:
		n.State, n.Remote = Listening, netip.AddrPort{}
	case s.remote.IsValid() && s.local.Port() != 0 && s.local.Addr().IsUnspecified():
		return // a refused connect: its address comes yet
	case !s.remote.IsValid() || s.local.Port() == 0:
		n.State = Unconnected
	}
	if was := s.told.State; n.State == Unconnected && (was == 0 || was == Unconnected) {
		return // it has not been anything else
	}
	t.tell(s, n)
}

func (t *tracer) tell(s *socket, n Socket) {
	if t.opts.OnSocket == nil || n == s.told {
		return
	}
	s.told = n
	t.opts.OnSocket(n)
}

// expect tells of the connection that the socket is about to ask for.
func (t *tracer) expect(s *socket, peer netip.AddrPort) {
	t.tell(s, Socket{Cookie: s.id, Local: s.local, Remote: peer, State: Connecting})
}
