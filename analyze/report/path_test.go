package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestLostOnWayTellsWhoseItWas counts what was made on the way and lost further on apart: the end in whose name it is
// did not send it.
func TestLostOnWayTellsWhoseItWas(t *testing.T) {
	own := analyze.OnPath{Frame: 4, From: analyze.Server, Flags: "P.", Bytes: 10, Seen: "router", Missing: "client"}
	rst := analyze.OnPath{Frame: 5, From: analyze.Server, Flags: "R.", Seen: "router", Missing: "client"}
	made := rst
	made.Missing = "server"
	got := strings.Join(lostOnWay(&analyze.Path{Lost: []analyze.OnPath{own, rst}, Made: []analyze.OnPath{made}}), "\n")
	want := "Lost on the way: 1 packet of the server (frame 4, 10 bytes), seen at router and not at client.\n" +
		"Lost on the way: 1 packet in the name of the server (frame 5), seen at router and not at client."
	if got != want {
		t.Errorf("lostOnWay = %s\nwant %s", got, want)
	}
}
