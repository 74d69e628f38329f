package event

import "testing"

func TestCallKind(t *testing.T) {
	for _, test := range []struct {
		call            Call
		kind            CallKind
		disconnect, eof bool
	}{
		{Call{Name: "sendfile", End: 1}, SendCall, false, false},
		{Call{Name: "recvmsg", End: 1}, RecvCall, false, true},
		{Call{Name: "read"}, RecvCall, false, false}, // not returned
		{Call{Name: "read", Errno: "EAGAIN", End: 1}, RecvCall, false, false},
		{Call{Name: "connect", Args: "AF_UNSPEC", End: 1}, ConnectCall, true, false},
		{Call{Name: "connect", Args: "127.0.0.1:80", End: 1}, ConnectCall, false, false},
		{Call{Name: "dup2", End: 1}, CloseCall, false, false},
		{Call{Name: "setsockopt", Args: "AF_UNSPEC", End: 1}, OtherCall, false, false},
	} {
		c := &test.call
		if c.Kind() != test.kind || c.IsDisconnect() != test.disconnect || c.IsEOF() != test.eof {
			t.Errorf("%s(%s) = %d, disconnect %v, EOF %v; want %d, %v, %v", c.Name, c.Args,
				c.Kind(), c.IsDisconnect(), c.IsEOF(), test.kind, test.disconnect, test.eof)
		}
	}
}

func TestMayBecome(t *testing.T) {
	for _, test := range []struct {
		from, to TCPState
		want     bool
	}{
		{StateUnknown, Established, true},
		{SynSent, SynRecv, true}, // simultaneous open
		{Established, TimeWait, false},
		{FinWait1, TimeWait, true},
		{LastAck, TimeWait, false},
		{TimeWait, Closed, true},
		{Closed, Established, false},
		{NewSynRecv, Established, false},
		{NewSynRecv + 1, Closed, false},
	} {
		if got := test.from.MayBecome(test.to); got != test.want {
			t.Errorf("%v to %v: %v, want %v", test.from, test.to, got, test.want)
		}
	}
}
