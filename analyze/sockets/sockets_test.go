package sockets

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
)

// socket returns one between these ports of the loopback.
func socket(state event.TCPState, local, remote uint16, more ...func(*event.Socket)) event.Socket {
	s := event.Socket{Sample: event.Sample{State: state}, Inode: uint64(local)}
	host := netip.MustParseAddr("127.0.0.1")
	s.Local, s.Remote = netip.AddrPortFrom(host, local), netip.AddrPortFrom(host, remote)
	for _, f := range more {
		f(&s)
	}
	return s
}

func orphan(s *event.Socket) { s.Orphan, s.Inode = true, 0 }

func heldBy(pid int) func(*event.Socket) {
	return func(s *event.Socket) { s.Holders = append(s.Holders, event.SocketHolder{PID: pid, FD: 3}) }
}

func info(i event.TCPInfo) func(*event.Socket) { return func(s *event.Socket) { s.Info = &i } }

func timer(name string, left time.Duration, sent int) func(*event.Socket) {
	return func(s *event.Socket) { s.Timer, s.Left, s.Retransmits = name, int64(left), sent }
}

func queued(recv, send int) func(*event.Socket) {
	return func(s *event.Socket) { s.RecvQ, s.SendQ = recv, send }
}

// room is how much the peer takes.
func room(n int) func(*event.Socket) {
	return func(s *event.Socket) {
		with := *s.Info
		with.Window, with.MSS = n, 1460
		s.Info = &with
	}
}

const sec = int64(time.Second)

// settings are the defaults of Linux 6.18.
func settings() map[string]int64 {
	return map[string]int64{
		"tcp_fin_timeout": 60, "tcp_orphan_retries": 0, "tcp_retries2": 15, "tcp_rto_max_ms": 120_000,
		"tcp_syn_retries": 6, "tcp_syn_linear_timeouts": 4,
	}
}

// TestTrouble tells each state's troubles apart.
func TestTrouble(t *testing.T) {
	waiting := func(n, backlog int) func(*event.Socket) {
		return func(s *event.Socket) { s.Waiting, s.Backlog = n, backlog }
	}
	rto := info(event.TCPInfo{RTO: 204e6, LastACK: 3 * sec, LastReceived: 9 * sec, LastSent: 5 * sec})
	for name, tt := range map[string]struct {
		socket event.Socket
		want   Trouble
		topic  string
		ends   []Ender
		age    *Age
	}{
		"listener":           {socket(event.Listen, 80, 0, waiting(128, 128)), NoTrouble, "", nil, nil},
		"full queue":         {socket(event.Listen, 80, 0, waiting(129, 128)), AcceptQueueFull, "accept-queue", []Ender{ByAccept}, nil},
		"held CLOSE_WAIT":    {socket(event.CloseWait, 80, 9, rto), NotClosed, "close-wait", []Ender{ByClose}, &Age{3 * sec, 9 * sec}},
		"not accepted":       {socket(event.CloseWait, 80, 9, orphan), NotAccepted, "close-wait", []Ender{ByAccept}, nil},
		"held FIN_WAIT2":     {socket(event.FinWait2, 80, 9, rto), PeerNotClosed, "fin-wait2", []Ender{ByPeer}, &Age{3 * sec, 5 * sec}},
		"orphan":             {socket(event.FinWait2, 80, 9, orphan, timer("timewait", 50*time.Second, 0)), OrphanWaits, "fin-wait2", []Ender{ByPeer, ByTimer}, nil},
		"FIN on its way":     {socket(event.FinWait1, 80, 9, rto, timer("retransmit", time.Second, 0)), Closing, "fin-ordering", []Ender{ByPeer, ByRetries}, nil},
		"FIN lost":           {socket(event.LastAck, 80, 9, rto, timer("retransmit", time.Second, 1)), NotAcknowledged, "fin-ordering", []Ender{ByPeer, ByRetries}, nil},
		"both at once":       {socket(event.Closing, 80, 9, rto), Closing, "simultaneous-close", []Ender{ByPeer, ByRetries}, nil},
		"FIN behind window":  {socket(event.FinWait1, 80, 9, rto, queued(0, 10), timer("probe", time.Second, 0)), WindowClosed, "lost-bytes", []Ender{ByPeer, ByRetries}, nil},
		"filtered here":      {socket(event.Established, 80, 9, rto, queued(0, 10), timer("probe", time.Second, 0), room(20)), HeldBack, "lost-bytes", []Ender{ByRetries}, nil},
		"one loss":           {socket(event.Established, 80, 9, rto, queued(0, 10), timer("retransmit", time.Second, 1)), NoTrouble, "", nil, nil},
		"silent peer":        {socket(event.Established, 80, 9, rto, queued(0, 10), timer("retransmit", time.Second, 2)), NotAcknowledged, "lost-bytes", []Ender{ByPeer, ByRetries}, nil},
		"window closed":      {socket(event.Established, 80, 9, rto, queued(0, 10), timer("probe", time.Second, 0)), WindowClosed, "lost-bytes", []Ender{ByPeer, ByRetries}, nil},
		"CLOSE_WAIT, silent": {socket(event.CloseWait, 80, 9, rto, queued(0, 10), timer("retransmit", time.Second, 2)), NotClosed, "close-wait", []Ender{ByClose}, &Age{3 * sec, 9 * sec}},
		"connecting":         {socket(event.SynSent, 80, 9, rto, timer("retransmit", time.Second, 0)), NoTrouble, "", nil, nil},
		"SYN unanswered":     {socket(event.SynSent, 80, 9, rto, timer("retransmit", time.Second, 1)), NotAcknowledged, "", []Ender{ByPeer, ByRetries}, nil},
		"open":               {socket(event.Established, 80, 9, rto), NoTrouble, "", nil, nil},
	} {
		l := List(&Evidence{Sockets: []event.Socket{tt.socket}, Settings: settings()}, Options{All: true})
		r := l.Sockets[0]
		var ends []Ender
		for _, e := range r.Ends {
			ends = append(ends, e.By)
		}
		if r.Trouble != tt.want || r.Explains != tt.topic || !slices.Equal(ends, tt.ends) {
			t.Errorf("%s: %q, topic %q, ends %q, want %q, %q, %q", name, r.Trouble, r.Explains, ends, tt.want, tt.topic, tt.ends)
		}
		if d := cmp.Diff(tt.age, r.Age); d != "" {
			t.Errorf("%s: age: %s", name, d)
		}
	}
}

// TestOrphanTimer adds what the kernel keeps the socket for before it becomes a TIME_WAIT's.
func TestOrphanTimer(t *testing.T) {
	for _, tt := range []struct {
		timer      string
		left, want time.Duration
	}{{"timewait", 7 * time.Second, 7 * time.Second}, {"keepalive", 7 * time.Second, 67 * time.Second}} {
		s := socket(event.FinWait2, 1, 2, orphan, timer(tt.timer, tt.left, 0))
		l := List(&Evidence{Sockets: []event.Socket{s}}, Options{})
		if got := time.Duration(l.Sockets[0].Ends[1].LeftNS); got != tt.want {
			t.Errorf("timer %s: %s left, want %s", tt.timer, got, tt.want)
		}
	}
}

// TestProbes reckons when a socket behind a closed window is given up, after net/ipv4/tcp_timer.c: tcp_probe_timer().
func TestProbes(t *testing.T) {
	probing := func(backoff, sent int) []func(*event.Socket) {
		wait := min(200*time.Millisecond<<backoff, 120*time.Second)
		return []func(*event.Socket){queued(0, 10), info(event.TCPInfo{RTO: 200e6, Backoff: backoff}), timer("probe", wait, sent)}
	}
	for name, tt := range map[string]struct {
		socket  event.Socket
		retries int
		left    time.Duration
	}{
		// 0.2 s, then doubled up to 102.4 s, then six times 120 s.
		"open":                        {socket(event.Established, 80, 9, probing(0, 0)...), 15, 204600*time.Millisecond + 6*120*time.Second},
		"open, half way":              {socket(event.Established, 80, 9, probing(8, 8)...), 7, (51200+102400)*time.Millisecond + 6*120*time.Second},
		"orphan whose peer answers":   {socket(event.FinWait1, 80, 9, append(probing(0, 0), orphan)...), 10, 204600*time.Millisecond + 120*time.Second},
		"orphan whose peer is silent": {socket(event.FinWait1, 80, 9, append(probing(1, 1), orphan)...), 7, (51200*2 - 400) * time.Millisecond},
		"orphan at its end":           {socket(event.FinWait1, 80, 9, append(probing(11, 0), orphan)...), 0, 120 * time.Second},
	} {
		l := List(&Evidence{Sockets: []event.Socket{tt.socket}, Settings: settings()}, Options{})
		end := l.Sockets[0].Ends[1]
		if got := time.Duration(end.LeftNS); end.Retries != tt.retries || got != tt.left {
			t.Errorf("%s: %d probes, %s, want %d, %s", name, end.Retries, got, tt.retries, tt.left)
		}
	}
}

// TestOrder puts the worst first, and both ends of a connection together.
func TestOrder(t *testing.T) {
	old := info(event.TCPInfo{LastACK: 9 * sec, LastReceived: 9 * sec})
	e := &Evidence{Settings: settings(), Sockets: []event.Socket{
		socket(event.Established, 80, 1), socket(event.Established, 1, 80),
		socket(event.FinWait2, 2, 80, orphan, timer("timewait", time.Second, 0)),
		socket(event.CloseWait, 80, 3, heldBy(7)),
		socket(event.CloseWait, 80, 2, heldBy(8), old),
		socket(event.FinWait2, 3, 80),
		socket(event.Listen, 80, 0, func(s *event.Socket) { s.Waiting = 1 }),
	}}
	type end struct {
		state    event.TCPState
		port     uint16
		otherEnd int
	}
	for name, tt := range map[string]struct {
		opt  Options
		want []end
	}{
		"stuck": {Options{}, []end{{event.Listen, 80, 0}, {event.CloseWait, 80, 3}, {event.FinWait2, 2, 2}, {event.CloseWait, 80, 5}, {event.FinWait2, 3, 4}}},
		"all": {Options{All: true}, []end{{event.Listen, 80, 0}, {event.CloseWait, 80, 3}, {event.FinWait2, 2, 2}, {event.CloseWait, 80, 5}, {event.FinWait2, 3, 4},
			{event.Established, 1, 7}, {event.Established, 80, 6}}},
		"pid":   {Options{PIDs: []int{7}}, []end{{event.CloseWait, 80, 2}, {event.FinWait2, 3, 1}}},
		"port":  {Options{Port: 2}, []end{{event.CloseWait, 80, 2}, {event.FinWait2, 2, 1}}},
		"state": {Options{States: []event.TCPState{event.Established}}, []end{{event.Established, 1, 2}, {event.Established, 80, 1}}},
	} {
		var got []end
		for i, r := range List(e, tt.opt).Sockets {
			got = append(got, end{r.State, r.Local.Port(), r.OtherEnd})
			if r.ID != i+1 {
				t.Errorf("%s: row %d has ID %d", name, i+1, r.ID)
			}
		}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(end{})); d != "" {
			t.Errorf("%s: want -, got +\n%s", name, d)
		}
	}
}

// TestUnseen counts the holders of what is shown alone.
func TestUnseen(t *testing.T) {
	e := &Evidence{Sockets: []event.Socket{
		socket(event.CloseWait, 80, 1), socket(event.CloseWait, 80, 2, heldBy(1)), socket(event.Established, 80, 3),
		socket(event.CloseWait, 80, 4, orphan),
	}}
	if got := List(e, Options{}).Unseen; got != (Unseen{NotFound: 1}) {
		t.Errorf("all looked into: %+v", got)
	}
	e.Refused = 4
	if got := List(e, Options{All: true}).Unseen; got != (Unseen{NotAllowed: 2}) {
		t.Errorf("not all looked into: %+v", got)
	}
}

// TestTimeWait groups them by whose ports they take.
func TestTimeWait(t *testing.T) {
	e := &Evidence{Ports: Ports{30000, 30009}, Sockets: []event.Socket{
		socket(event.Listen, 80, 0),
		socket(event.TimeWait, 30001, 443, orphan, timer("timewait", 5*time.Second, 0)),
		socket(event.TimeWait, 30002, 443, orphan, timer("timewait", 9*time.Second, 0)),
		socket(event.Established, 30003, 443),
		socket(event.TimeWait, 30004, 22, orphan),
		socket(event.TimeWait, 80, 30005, orphan), socket(event.TimeWait, 80, 30006, orphan),
		socket(event.TimeWait, 30007, 30008, orphan),
		socket(event.TimeWait, 81, 30008, orphan), // its listener has gone
	}}
	type group struct {
		Local, Remote string
		Count, Ports  int
		Left          int64
	}
	var got []group
	for _, r := range List(e, Options{}).Sockets {
		got = append(got, group{r.Local.String(), r.Remote.String(), r.Count, r.PortsUsed, r.Ends[0].LeftNS})
	}
	want := []group{
		{"127.0.0.1:0", "127.0.0.1:443", 2, 3, 9 * sec},
		{"127.0.0.1:80", "invalid AddrPort", 2, 0, 0},
		{"127.0.0.1:81", "127.0.0.1:30008", 1, 0, 0},
		{"127.0.0.1:30004", "127.0.0.1:22", 1, 1, 0},
		{"127.0.0.1:30007", "127.0.0.1:30008", 1, 1, 0},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
	for port := uint16(30000); port < 30008; port++ {
		e.Sockets = append(e.Sockets, socket(event.TimeWait, port, 25, orphan))
	}
	e.Sockets = append(e.Sockets, socket(event.CloseWait, 80, 1))
	if r := List(e, Options{}).Sockets[0]; r.PortsUsed != 8 {
		t.Errorf("first is %v to %v, want what takes 8 of 10 ports", r.Local, r.Remote)
	}
}

// TestGivesUp reckons when the kernel stops, as it does with its defaults.
func TestGivesUp(t *testing.T) {
	ms := func(n int64) int64 { return n * 1e6 }
	for name, tt := range map[string]struct {
		socket  event.Socket
		setting string
		retries int
		left    time.Duration
	}{
		// 0.2 s, doubled 8 times: given up 102.2 s after the first retransmission or at the next timer.
		"orphan's first":  {socket(event.FinWait1, 1, 2, orphan, info(event.TCPInfo{RTO: ms(200)}), timer("retransmit", 200*time.Millisecond, 0)), "tcp_orphan_retries", 9, 204600 * time.Millisecond},
		"orphan's fourth": {socket(event.LastAck, 1, 2, orphan, info(event.TCPInfo{RTO: ms(3200), Backoff: 4}), timer("retransmit", 3*time.Second, 4)), "tcp_orphan_retries", 5, 201400 * time.Millisecond},
		"slow path":       {socket(event.FinWait1, 1, 2, orphan, info(event.TCPInfo{RTO: ms(6400), Backoff: 1}), timer("retransmit", time.Second, 1)), "tcp_orphan_retries", 4, 193 * time.Second},
		"held":            {socket(event.Established, 1, 2, info(event.TCPInfo{RTO: ms(120_000), Backoff: 10}), timer("retransmit", time.Second, 14)), "tcp_retries2", 2, 241 * time.Second},
		"last":            {socket(event.LastAck, 1, 2, orphan, info(event.TCPInfo{RTO: ms(102_400), Backoff: 9}), timer("retransmit", 5*time.Second, 9)), "tcp_orphan_retries", 0, 5 * time.Second},
		"SYN":             {socket(event.SynSent, 1, 2, info(event.TCPInfo{RTO: ms(1000)}), timer("retransmit", time.Second, 1)), "tcp_syn_retries", 9, time.Second * (1 + 3 + 2 + 4 + 8 + 16 + 32 + 64)},
		"probes":          {socket(event.Established, 1, 2, queued(0, 5), info(event.TCPInfo{RTO: ms(200)}), timer("probe", time.Second, 13)), "tcp_retries2", 2, 2200 * time.Millisecond},
		"unknown":         {socket(event.FinWait1, 1, 2, timer("retransmit", time.Second, 1)), "tcp_retries2", 0, 0},
	} {
		l := List(&Evidence{Sockets: []event.Socket{tt.socket}, Settings: settings()}, Options{})
		e := l.Sockets[0].Ends[1]
		want := End{By: ByRetries, Setting: tt.setting, Retries: tt.retries, LeftNS: int64(tt.left)}
		if e != want {
			t.Errorf("%s: %+v, want %+v", name, e, want)
		}
	}
}
