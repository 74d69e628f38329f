package analyze

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// TestValidateLosses breaks what holds for lost bytes: of what an end sent and its peer's calls did not return no more
// is lost than that, of each end in one account.
func TestValidateLosses(t *testing.T) {
	reset := func(l Lost) *Reset {
		return &Reset{By: Client, Frame: 1, Cause: Aborted, Confidence: Observed, Lost: l}
	}
	read := func(side Side, to uint64) *Call {
		return &Call{Call: &event.Call{ID: 1, Name: "recv"}, Connection: 1, Side: side, Bytes: &[2]uint64{0, to}}
	}
	for name, tt := range map[string]struct {
		c    Connection
		call *Call
		want string
	}{
		"both ends, all that they sent": {c: Connection{Lost: &Lost{Unread: 100, From: Client}, AlsoLost: &Lost{Unacked: 50, From: Server}}},
		"the rest of what was read":     {c: Connection{Lost: &Lost{Unread: 60, From: Client}}, call: read(Server, 40)},
		"a byte of what was read": {Connection{Lost: &Lost{Unread: 61, From: Client}}, read(Server, 40),
			"of 100 bytes, of which 40 were read"},
		"of one stream what the other's reader read": {c: Connection{Lost: &Lost{Unread: 100, From: Client}}, call: read(Client, 40)},
		"more than the second end sent": {c: Connection{Lost: &Lost{Unread: 1, From: Client}, AlsoLost: &Lost{Unacked: 51, From: Server}},
			want: "of 50 bytes, of which 0 were read"},
		"more in kinds that each are less": {c: Connection{Lost: &Lost{Unacked: 30, Unread: 30, AfterClose: 30, MayBe: 11, From: Client}},
			want: "of 100 bytes, of which 0 were read"},
		"more than the RST can have cost": {c: Connection{Reset: reset(Lost{Unacked: 51, From: Server})}, want: "of 50 bytes, of which 0 were read"},
		"twice of one end": {c: Connection{Lost: &Lost{Unread: 1, From: Client}, AlsoLost: &Lost{Unacked: 1, From: Client}},
			want: "2 accounts of what the client lost"},
		"twice, once by the RST": {c: Connection{Reset: reset(Lost{Unacked: 1, From: Server}), Lost: &Lost{Unread: 1, From: Server}},
			want: "2 accounts of what the server lost"},
		"of nobody": {c: Connection{Lost: &Lost{Unread: 1}}, want: "of nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.c.ID, tt.c.Bytes, tt.c.LastFrame = 1, PerSide{Client: 100, Server: 50}, 1
			res := &Result{Connections: []*Connection{&tt.c}}
			if tt.call != nil {
				res.Calls = []*Call{tt.call}
			}
			var got []string
			for _, err := range Validate(res) {
				if msg := err.Error(); strings.Contains(msg, "lost") {
					got = append(got, msg)
				}
			}
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("Validate() = %q, want %q", got, tt.want)
			}
		})
	}
}
