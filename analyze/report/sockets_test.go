package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/sockets"
)

const secs = int64(time.Second)

// machine has a socket in each trouble.
func machine() *sockets.Evidence {
	sock := func(state event.TCPState, local, remote string, f func(*event.Socket)) event.Socket {
		s := event.Socket{Sample: event.Sample{State: state, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}, Inode: 1, UID: 33}
		f(&s)
		return s
	}
	held := func(pid, fd int, comm string) event.SocketHolder {
		return event.SocketHolder{PID: pid, FD: fd, Comm: comm}
	}
	gone := func(s *event.Socket, timer string, left int64, sent int) {
		s.Inode, s.Orphan, s.Timer, s.Left, s.Retransmits = 0, true, timer, left, sent
	}
	return &sockets.Evidence{
		Time: 1700000000e9, Ports: sockets.Ports{Low: 32768, High: 60999}, Refused: 1,
		Settings: map[string]int64{"tcp_fin_timeout": 60, "tcp_orphan_retries": 0, "tcp_retries2": 15, "tcp_abort_on_overflow": 0},
		Counters: map[string]int64{"ListenOverflows": 1204, "ListenDrops": 1210},
		Sockets: []event.Socket{
			sock(event.Listen, "0.0.0.0:80", "0.0.0.0:0", func(s *event.Socket) {
				s.Waiting, s.Backlog, s.Holders = 129, 128, []event.SocketHolder{held(7, 3, "nginx")}
			}),
			sock(event.CloseWait, "127.0.0.1:80", "127.0.0.1:40000", func(s *event.Socket) {
				s.RecvQ, s.Info = 12, &event.TCPInfo{LastACK: 200 * secs, LastReceived: 201 * secs}
				s.Holders = []event.SocketHolder{held(7, 9, "ngi\x1b[2Jnx")}
			}),
			sock(event.FinWait2, "127.0.0.1:40000", "127.0.0.1:80", func(s *event.Socket) { gone(s, "timewait", 41*secs, 0) }),
			sock(event.CloseWait, "10.0.0.1:80", "10.0.0.2:40001", func(s *event.Socket) {
				s.EndRead, s.Info = true, &event.TCPInfo{LastACK: 5 * secs, LastReceived: 90 * secs}
				s.Holders = []event.SocketHolder{held(7, 10, "nginx"), held(8, 10, "nginx"), held(9, 10, "nginx"), held(11, 3, "sh"), held(12, 3, "sh")}
			}),
			sock(event.CloseWait, "10.0.0.1:80", "10.0.0.2:40002", func(s *event.Socket) { s.Inode, s.Orphan = 0, true }),
			sock(event.LastAck, "10.0.0.1:80", "10.0.0.2:40003", func(s *event.Socket) {
				gone(s, "retransmit", 3*secs, 4)
				s.SendQ, s.Info = 5, &event.TCPInfo{RTO: 3_200_000_000, Backoff: 4, LastACK: 7 * secs, LastReceived: 9 * secs}
			}),
			sock(event.FinWait2, "10.0.0.1:80", "10.0.0.2:40004", func(s *event.Socket) {}),
			sock(event.TimeWait, "10.0.0.1:40000", "10.0.0.3:5432", func(s *event.Socket) { gone(s, "timewait", 30*secs, 0) }),
			sock(event.TimeWait, "10.0.0.1:40001", "10.0.0.3:5432", func(s *event.Socket) { gone(s, "timewait", 59*secs, 0) }),
			sock(event.Established, "10.0.0.1:80", "10.0.0.2:40005", func(s *event.Socket) {}),
		},
	}
}

func shownSockets(t *testing.T, format Format, limit int, opt Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSockets(&b, format, sockets.List(machine(), sockets.Options{Tool: "closecap test"}), limit, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSocketsTable reads the table's sentences at two widths.
func TestSocketsTable(t *testing.T) {
	for _, width := range []int{80, 160, 400} {
		out := shownSockets(t, Table, 0, Options{Width: width, Box: true})
		for line := range strings.Lines(out) {
			if n := textWidth(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d columns: %s", width, n, line)
			}
		}
		if strings.Contains(out, "\x1b") || !strings.Contains(out, `ngi\x1b[2Jnx[7]`) {
			t.Errorf("width %d: the hostile name is not escaped", width)
		}
	}
	wide := strings.ReplaceAll(shownSockets(t, Table, 0, Options{Width: 400, Box: true}), noBreak, " ")
	for _, want := range []string{
		"9 ending or stuck, of 10 TCP sockets: 3 CLOSE_WAIT, 1 ESTABLISHED, 2 FIN_WAIT2, 1 LAST_ACK, 1 LISTEN, 2 TIME_WAIT",
		"129 connections wait for accept(), listen() allows 128: new ones are dropped, their clients try again until nginx[7] accepts",
		"3 min 20 s │ 127.0.0.1:80 → 127.0.0.1:40000",
		`the peer has closed; 12 bytes unread; no timer ends that, only close(9) by ngi\x1b[2Jnx[7]`,
		"└ FIN_WAIT2",
		`closed; waits for the peer's FIN, which close(9) by ngi\x1b[2Jnx[7] would send, 41.0 s more at most (tcp_fin_timeout 60 s), then is forgotten`,
		"≥ 5.0 s", "nginx[7] fd 10, nginx[8] fd 10, nginx[9] fd 10 and 2 more",
		"the peer has closed, and recv has said so; no timer ends that, only close() of all 5 descriptors, or one shutdown()",
		"nobody yet", "the peer closed before accept(): nothing unread in the listener's queue",
		"5 bytes and FIN sent again 4 times, nothing heard of the peer for 7.0 s; about 5 retries left, given up in 3 min 21 s (tcp_orphan_retries 0, which means 8)",
		"not seen (user 33)", "its FIN is acknowledged; waits for the peer's FIN; no timer ends that",
		"2 × TIME_WAIT", "10.0.0.1:* → 10.0.0.3:5432", "2 of 28,232 ephemeral ports taken towards there; the last over in 59.0 s",
		"full accept queues so far: ListenOverflows 1,204, ListenDrops 1,210",
		"holders of 1 socket: not allowed (sudo shows those of other users)",
	} {
		if !strings.Contains(wide, want) {
			t.Errorf("want %q in\n%s", want, wide)
		}
	}
	short := shownSockets(t, Table, 2, Options{Width: 100})
	if !strings.Contains(short, "6 more, less bad: --limit 0 shows all") || strings.Contains(short, "LAST_ACK |") ||
		!strings.Contains(short, `CLOSE_WAIT held by ngi\x1b[2Jnx[7]: 1, nginx[7]: 1, nginx[8]: 1 and 3 more`) {
		t.Errorf("two rows:\n%s", short)
	}
}

// TestSocketsForms reads the other formats back.
func TestSocketsForms(t *testing.T) {
	var l sockets.Listing
	if err := json.Unmarshal([]byte(shownSockets(t, JSON, 1, Options{})), &l); err != nil || len(l.Sockets) != 8 {
		t.Errorf("json: %d sockets, %v, want 8", len(l.Sockets), err)
	}
	lines := strings.Split(strings.TrimSpace(shownSockets(t, NDJSON, 1, Options{})), "\n")
	for i, line := range lines {
		var row struct {
			Time event.Time
			sockets.Socket
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.ID != i+1 || row.Time != l.Time {
			t.Errorf("ndjson line %d: %+v, %v", i+1, row, err)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(shownSockets(t, CSV, 1, Options{}))).ReadAll()
	if err != nil || len(rows) != 9 || len(lines) != 8 || rows[0][1] != "id" || rows[2][3] != "not-closed" {
		t.Errorf("csv: %d rows, %v, ndjson: %d lines\n%q", len(rows), err, len(lines), rows)
	}
}

// TestKeepAliveEndsCloseWait says what the kernel does: an orphan in FIN_WAIT2 is forgotten, and answers probes with RST.
func TestKeepAliveEndsCloseWait(t *testing.T) {
	r := &sockets.Socket{State: event.CloseWait, Trouble: sockets.NotClosed, EndRead: true, Timer: "keepalive"}
	const want = "the peer has closed, and recv has said so; no timer ends that, only its application's close(), " +
		"or keep-alive, once the peer's kernel has forgotten the connection"
	if got := waitsFor(&sockets.Listing{}, r); got != want {
		t.Errorf("waitsFor = %q, want %q", got, want)
	}
}

// TestFullQueueDropsSYNs: with tcp_abort_on_overflow, too.
func TestFullQueueDropsSYNs(t *testing.T) {
	for abort, want := range map[int64]string{
		0: "new ones are dropped, their clients try again until",
		1: "new ones are dropped, their clients try again, and those amid the handshake are reset (tcp_abort_on_overflow 1), until",
	} {
		l := &sockets.Listing{Settings: map[string]int64{"tcp_abort_on_overflow": abort}}
		if got := waitsFor(l, &sockets.Socket{State: event.Listen, Trouble: sockets.AcceptQueueFull, Waiting: 2, Backlog: 1}); !strings.Contains(got, want) {
			t.Errorf("waitsFor with tcp_abort_on_overflow %d = %q, want %q in it", abort, got, want)
		}
	}
}
