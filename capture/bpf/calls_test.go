package bpf

import (
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/closecap/closecap/analyze/event"
)

func newCallDecoder() *callDecoder { return &callDecoder{decoder: *newDecoder()} }

var compareAddresses = cmpopts.EquateComparable(netip.AddrPort{})

func TestDecodeCall(t *testing.T) {
	before := rawLook{
		Cookie: 7, Family: 2, State: 8, FinIn: 1, Lport: 40000, Rport: 80, Laddr: [16]byte{10, 0, 0, 1}, Raddr: [16]byte{10, 0, 0, 2},
		RcvNxt: 5, CopiedSeq: 1<<32 - 2, WriteSeq: 30, SndUna: 20,
	}
	after := before
	after.State, after.WriteSeq = 9, 31 // the FIN took a number
	r := rawCall{
		Kind: kindCall, How: uint8(CloseCall), Blocked: 1, Opened: 1, Refs: 2, Start: 10, End: 20, Ret: -9,
		Args: [5]uint64{3, 4, 5, 6, 7}, Given: [32]byte{8}, NR: 3, PID: 5, TID: 6, FD: 3, Signals: 1 << 8, Comm: comm("curl"), Status: 15, Before: before, After: after,
	}
	got, err := newCallDecoder().decode(raw(t, &r))
	if err != nil {
		t.Fatal(err)
	}
	look := Look{
		Socket: 7, Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:80"),
		State: event.CloseWait, RecvQ: 6, SendQ: 10, Wrote: 30, Read: 1<<32 - 2,
	}
	want := &Call{
		Kind: CloseCall, Name: "close", PID: 5, TID: 6, Comm: "curl", FD: 3, Args: [5]uint64{3, 4, 5, 6, 7}, Given: [32]byte{8},
		Start: 1010, End: 1020, Ret: -9, Blocked: true, Signals: 1 << 8, Status: 15, References: 2, Opened: true, Before: look, After: look,
	}
	want.After.State, want.After.Wrote = event.LastAck, 31
	if d := cmp.Diff(want, got.Call, compareAddresses); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

func TestDecodeStep(t *testing.T) {
	r := rawStep{
		Kind: kindStep, Old: 1, New: 4, Owned: 1, Own: 1, At: 30, Look: rawLook{Cookie: 7, Family: 10, State: 4, Lport: 80},
		Task: rawTask{PID: 5, TID: 5, Flags: taskExiting | taskOwns, Status: 3 << 8, Comm: comm("sh")},
	}
	got, err := newCallDecoder().decode(raw(t, &r))
	if err != nil {
		t.Fatal(err)
	}
	want := &Step{
		Time: 1030, Old: event.Established, New: event.FinWait1, Own: true, Status: 3,
		Look: Look{Socket: 7, State: event.FinWait1, Local: netip.MustParseAddrPort("[::]:80")},
		Task: &event.Task{PID: 5, TID: 5, Comm: "sh", Call: "exit", FD: -1, Owner: true},
	}
	if d := cmp.Diff(want, got.Step, compareAddresses); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
	got, err = newCallDecoder().decode(raw(t, &rawExit{Kind: kindExit, PID: 5, At: 30}))
	if err != nil || *got.Exit != (Exit{PID: 5, Time: 1030}) {
		t.Errorf("exit %+v, %v", got.Exit, err)
	}
}

func TestDecodeDeparture(t *testing.T) {
	r := rawDeparture{
		Kind: kindDepart, Flags: 0x18, Family: 2, TID: 6, At: 30, Seq: 1<<32 - 1, Len: 5, Lport: 80, Rport: 40000, Exiting: 1,
		Laddr: [16]byte{10, 0, 0, 1}, Raddr: [16]byte{10, 0, 0, 2},
	}
	got, err := newCallDecoder().decode(raw(t, &r))
	if err != nil {
		t.Fatal(err)
	}
	want := &Depart{
		TID: 6, Exiting: true, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:40000"),
		Departure: event.Departure{Time: 1030, Flags: event.PSH | event.ACK, Seq: 1<<32 - 1, Len: 5},
	}
	if d := cmp.Diff(want, got.Depart, compareAddresses); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

// FuzzDecodeCall takes any bytes: too few are said to be, and none is read twice as long.
func FuzzDecodeCall(f *testing.F) {
	f.Add(raw(f, &rawCall{Kind: kindCall, Before: rawLook{Family: 2}, After: rawLook{Family: 300}}))
	f.Add(raw(f, &rawStep{Kind: kindStep, Look: rawLook{Family: 10}}))
	f.Add(raw(f, &rawExit{Kind: kindExit}))
	f.Add(raw(f, &rawDeparture{Kind: kindDepart}))
	f.Add([]byte{kindCall})
	f.Fuzz(func(t *testing.T, b []byte) {
		sizes := map[byte]int{kindCall: len(raw(t, &rawCall{})), kindStep: len(raw(t, &rawStep{})), kindExit: len(raw(t, &rawExit{})), kindDepart: len(raw(t, &rawDeparture{}))}
		got, err := newCallDecoder().decode(b)
		size := 1
		if len(b) > 0 {
			size = sizes[b[0]]
		}
		switch {
		case err == nil && (size == 0 || len(b) < size || (got.Call == nil) == (got.Step == nil && got.Exit == nil && got.Depart == nil)):
			t.Errorf("%d bytes give %+v", len(b), got)
		case err != nil && len(b) < size && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("%d of %d bytes: %v", len(b), size, err)
		}
	})
}
