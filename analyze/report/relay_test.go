package report

import (
	"net/netip"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestTransferSentence holds that a data connection of FTP names its control connection.
func TestTransferSentence(t *testing.T) {
	c := &analyze.Connection{Transfer: &analyze.Transfer{Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("10.0.0.2:21"),
		Named: 8, Confidence: analyze.Inferred}}
	const want = "A data connection of FTP: its control connection, 10.0.0.1:40000 → 10.0.0.2:21, named this port in frame 8. This is inferred."
	if got := transferSentence(c); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestNothingBack holds what is said of a gateway's request that came to nothing, by calls and by packets alone.
func TestNothingBack(t *testing.T) {
	ended := &analyze.LegEnd{Peer: netip.MustParseAddrPort("10.0.0.3:81"), NS: 3e6, Reason: "refused (frame 9)", Confidence: analyze.Inferred, Answered: true}
	for want, r := range map[string]analyze.Relay{
		"Relayed by nginx[7]: connection 2 is the other leg, which #8 opened while what came by #7 waited, and nothing came back. This is inferred.": {
			Leg: 2, Side: analyze.Server, PID: 7, Actor: "nginx[7]", Received: 7, Sent: 8, Same: analyze.NothingBack, Ended: ended},
		"Relayed by the server: connection 2 is the other leg, on which nothing came back, and no other request waited there. This is inferred.": {
			Leg: 2, Side: analyze.Server, Same: analyze.NothingBack, Ended: ended},
	} {
		c := &analyze.Connection{Relay: &r}
		if got := relaySentence(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		const leg = "The other leg, to 10.0.0.3:81 (connection 2), had ended 3.0 ms before that answer: refused (frame 9). This is inferred."
		if got := otherLegSentence(c); got != leg {
			t.Errorf("%q, want %q", got, leg)
		}
	}
}
