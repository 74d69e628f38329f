package join

import (
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestVouchedStates: the client's FIN is lost and repeated, and the server closes 9 ms after that. By its time that FIN
// might repeat one that was not captured, and the states of its end are withheld; but no call had ended its stream.
func TestVouchedStates(t *testing.T) {
	res := Join(parseEvents(t, `
		1 0.0010-0.0020 client connect(10.0.0.2:80) = 0
		2 0.0011 client > server S seq 1000 win 64240
		3 0.0012 server > client S. seq 5000 ack 1001 win 64240
		4 0.0013 client > server . seq 1001 ack 5001 win 502
		5 0.0014-0.0021 server accept() = 4
		6 0.0030-0.0031 client close() = 0
		7 0.00305 client > server F. seq 1001 ack 5001 win 502
		8 0.0032-0.0034 server send(4 bytes) = 4
		9 0.0033 server > client P. seq 5001 ack 1001 len 4 win 509
		10 0.0040-0.1042 server recv(100 bytes) = EOF
		11 0.1041 client > server F. seq 1001 ack 5005 win 502
		12 0.1130-0.1132 server close() = 0
		13 0.1131 server > client F. seq 5005 ack 1002 win 509
		14 0.1240 client > server . seq 1002 ack 5006 win 502
	`), analyze.Options{})
	c := res.Connections[0]
	if c.Closer != analyze.Client {
		t.Errorf("closer: %q, want the client", c.Closer)
	}
	if want := (analyze.HalfClose{By: analyze.Client, NS: 110_050_000, Bytes: 4}); c.HalfClose == nil || *c.HalfClose != want {
		t.Errorf("half-close: %+v, want %+v", c.HalfClose, want)
	}
	var got []event.TCPState
	for _, ch := range c.States.Server {
		got = append(got, ch.State)
	}
	want := []event.TCPState{event.SynRecv, event.Established, event.CloseWait, event.LastAck, event.Closed}
	if !slices.Equal(got, want) {
		t.Errorf("states of the server: %v, want %v", got, want)
	}
	if frame := c.States.Server[len(c.States.Server)-1].Frame; frame != 14 {
		t.Errorf("CLOSED by frame %d, want 14", frame)
	}
}

// TestVouchedClosed: the capture begins with the client's FIN. The server's may have come before it, in whose TIME_WAIT
// the server then is when the client acknowledges that; but no call had ended its stream.
func TestVouchedClosed(t *testing.T) {
	res := Join(parseEvents(t, `
		1 0.0030-0.0031 client close() = 0
		2 0.00305 client > server F. seq 1001 ack 5001 win 502
		3 0.0020-0.0040 server recv(100 bytes) = EOF
		4 0.0041 server > client . seq 5001 ack 1002 win 509
		5 0.0130-0.0132 server close() = 0
		6 0.0131 server > client F. seq 5001 ack 1002 win 509
		7 0.0132 client > server . seq 1002 ack 5002 win 502
	`), analyze.Options{})
	c := res.Connections[0]
	if want := (analyze.HalfClose{By: analyze.Client, NS: 10_050_000}); c.HalfClose == nil || *c.HalfClose != want {
		t.Errorf("half-close: %+v, want %+v", c.HalfClose, want)
	}
	if last := c.States.Server[len(c.States.Server)-1]; last.State != event.Closed || last.Frame != 7 {
		t.Errorf("the server ends in %s by frame %d, want CLOSED by 7", last.State, last.Frame)
	}
}
