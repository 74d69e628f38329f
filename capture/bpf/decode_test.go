package bpf

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
)

func newDecoder() *decoder {
	return &decoder{
		reasons: map[uint32]string{11: "TCP_ABORT_ON_CLOSE"},
		call: func(nr int32) string {
			return map[int32]string{3: "close", 33: "dup2", 42: "connect", 48: "shutdown"}[nr]
		},
		errno:  func(err uint16) string { return map[uint16]string{104: "ECONNRESET", 113: "EHOSTUNREACH"}[err] },
		offset: 1000,
	}
}

func raw(t testing.TB, v any) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func comm(name string) (c [16]byte) {
	copy(c[:], name)
	return c
}

func TestDecodeEndpoint(t *testing.T) {
	r := rawEndpoint{
		Kind: kindEndpoint, Family: 2, Steps: 3, Flags: born | connected | hadFile | held | linger | finIn,
		Lport: 40000, Rport: 80, Cookie: 7, Laddr: [16]byte{10, 0, 0, 1}, Raddr: [16]byte{10, 0, 0, 2},
		Cgroup: 9, Netns: 11, UID: 1000, RstIn: 25,
		At: [8]uint64{10, 20, 30}, State: [8]uint8{2, 1, 7}, Owned: [8]uint8{1, 0, 1},
		Open: rawTask{PID: 5, TID: 6, Call: 42, FD: 3, How: 99, Flags: taskOwns, Comm: comm("curl")},
		End:  rawTask{PID: 5, TID: 6, Flags: taskExiting | taskOwns, Status: 9, Comm: comm("curl")},
		Sent: 12, Received: 13, Unread: 14, Unacked: 15, Unsent: 16, Retrans: 17, Linger2: -1, LingerTime: 18,
		Err: 104, SoftErr: 113, Timeouts: 2, Probes: 3, IcmpType: 3, IcmpCode: 1, IcmpErr: 113,
	}
	got, err := newDecoder().decode(raw(t, &r))
	if err != nil {
		t.Fatal(err)
	}
	want := event.KernelEvent{Endpoint: &event.Endpoint{
		Socket: 7, Netns: 11, UID: 1000, Cgroup: 9,
		Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:80"),
		Born: true, Connected: true, HadFile: true, Held: true, FinIn: true, ResetIn: 1025,
		Steps: []event.Transition{
			{State: event.SynSent, Time: 1010, Owned: true}, {State: event.Established, Time: 1020},
			{State: event.Closed, Time: 1030, Owned: true},
		},
		Linger: true, LingerTicks: 18, Linger2: -1,
		Open: &event.Task{PID: 5, TID: 6, Comm: "curl", Call: "connect", FD: 3, Owner: true},
		End:  &event.Task{PID: 5, TID: 6, Comm: "curl", Call: "kill", FD: -1, Signal: 9, Owner: true},
		Sent: 12, Received: 13, Unread: 14, Unacked: 15, Unsent: 16, Retransmits: 17, Timeouts: 2, Probes: 3,
		Errno: "ECONNRESET", SoftErrno: "EHOSTUNREACH", ICMP: &event.ICMPError{Type: 3, Code: 1, Errno: "EHOSTUNREACH"},
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("decode (-want +got):\n%s", diff)
	}
}

func TestDecodeReset(t *testing.T) {
	r := rawReset{
		Kind: kindReset, Family: 10, State: 6, Substate: 5, Lport: 80, Rport: 40000, At: 30, Netns: 11, Reason: 11,
		Laddr: netip.MustParseAddr("::ffff:10.0.0.2").As16(), Raddr: netip.MustParseAddr("fe80::1").As16(),
		Offended: 1, Flags: 0x18, Seq: 1, Ack: 2, Len: 3, Task: rawTask{Comm: comm("swapper/0"), Flags: taskKernel},
	}
	d := newDecoder()
	got, err := d.decode(raw(t, &r))
	if err != nil {
		t.Fatal(err)
	}
	want := &event.KernelReset{
		Time: 1030, Netns: 11, Reason: "TCP_ABORT_ON_CLOSE", State: event.TimeWait, Substate: event.FinWait2,
		Local: netip.MustParseAddrPort("10.0.0.2:80"), Remote: netip.MustParseAddrPort("[fe80::1]:40000"),
		Offender: &event.Offender{Flags: event.PSH | event.ACK, Seq: 1, Ack: 2, Len: 3},
		Task:     &event.Task{Comm: "swapper/0", FD: -1, Kernel: true},
	}
	if diff := cmp.Diff(want, got.Reset, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("decode (-want +got):\n%s", diff)
	}
	r.Reason, r.Offended = noReason, 0
	if got, err = d.decode(raw(t, &r)); err != nil || got.Reset.Reason != "" || got.Reset.Offender != nil {
		t.Errorf("decode without a reason = %+v, %v", got.Reset, err)
	}
}

func TestDecodeTaskCalls(t *testing.T) {
	d := newDecoder()
	for _, tt := range []struct {
		raw      rawTask
		call     string
		fd, how  int
		unrecord bool
	}{
		{raw: rawTask{TID: 1, Call: 3, FD: 7, How: 5}, call: "close", fd: 7},
		{raw: rawTask{TID: 1, Call: 48, FD: 7, How: 1}, call: "shutdown", fd: 7, how: 1},
		{raw: rawTask{TID: 1, Call: 33, FD: 7, How: 5}, call: "dup2", fd: 5},
		{raw: rawTask{TID: 1, Call: 1000, FD: 7}, fd: -1},
		{raw: rawTask{TID: 1, Call: 3, FD: 7, Flags: taskCompat}, fd: -1},
		{raw: rawTask{TID: 1, Call: 3, FD: 7, Flags: taskKernel}, fd: -1},
		{raw: rawTask{TID: 1, Call: 3, FD: 7, Flags: taskIOWorker}, call: "io_uring", fd: -1},
		{raw: rawTask{TID: 1, Call: 3, FD: 7, Flags: taskExiting, Status: 3 << 8}, call: "exit", fd: -1},
		{raw: rawTask{}, unrecord: true},
	} {
		got := d.task(&tt.raw)
		switch {
		case got == nil:
			if !tt.unrecord {
				t.Errorf("task(%+v) = nil", tt.raw)
			}
		case got.Call != tt.call || got.FD != tt.fd || got.How != tt.how || tt.unrecord:
			t.Errorf("task(%+v) = %+v, want %s fd %d how %d", tt.raw, got, tt.call, tt.fd, tt.how)
		}
	}
}

func TestDecodeDamaged(t *testing.T) {
	d := newDecoder()
	whole := raw(t, &rawRelease{Kind: kindRelease, Cookie: 1})
	for n := range whole {
		if _, err := d.decode(whole[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("decode of %d bytes = %v, want %v", n, err, io.ErrUnexpectedEOF)
		}
	}
	for _, b := range [][]byte{{0}, {9}, raw(t, &rawEndpoint{Kind: kindEndpoint, Family: 3}), raw(t, &rawReset{Kind: kindReset})} {
		if got, err := d.decode(b); err == nil {
			t.Errorf("decode(% x…) = %+v, want an error", b[0], got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(raw(f, &rawEndpoint{Kind: kindEndpoint, Family: 2, Steps: 200}))
	f.Add(raw(f, &rawReset{Kind: kindReset, Family: 10}))
	f.Add(raw(f, &rawRelease{Kind: kindRelease}))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := newDecoder().decode(b)
		if err != nil {
			return
		}
		n := 0
		if k.Endpoint != nil {
			n++
			if len(k.Endpoint.Steps) > maxSteps {
				t.Errorf("%d steps, want at most %d", len(k.Endpoint.Steps), maxSteps)
			}
		}
		if k.Reset != nil {
			n++
		}
		if k.Release != nil {
			n++
		}
		if n != 1 {
			t.Errorf("decode(% x) = %+v, want exactly one kind", b, k)
		}
	})
}

func BenchmarkDecodeEndpoint(b *testing.B) {
	d, r := newDecoder(), raw(b, &rawEndpoint{Kind: kindEndpoint, Family: 2, Steps: 5, Open: rawTask{TID: 1}, End: rawTask{TID: 1}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.decode(r); err != nil {
			b.Fatal(err)
		}
	}
}
