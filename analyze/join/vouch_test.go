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
		8 0.0040-0.1042 server recv(100 bytes) = EOF
		9 0.1041 client > server F. seq 1001 ack 5001 win 502
		10 0.1130-0.1132 server close() = 0
		11 0.1131 server > client F. seq 5001 ack 1002 win 509
		12 0.1240 client > server . seq 1002 ack 5002 win 502
	`), analyze.Options{})
	c := res.Connections[0]
	if c.Closer != analyze.Client {
		t.Errorf("closer: %q, want the client", c.Closer)
	}
	var got []event.TCPState
	for _, ch := range c.States.Server {
		got = append(got, ch.State)
	}
	want := []event.TCPState{event.SynRecv, event.Established, event.CloseWait, event.LastAck, event.Closed}
	if !slices.Equal(got, want) {
		t.Errorf("states of the server: %v, want %v", got, want)
	}
	if frame := c.States.Server[len(c.States.Server)-1].Frame; frame != 12 {
		t.Errorf("CLOSED by frame %d, want 12", frame)
	}
}
