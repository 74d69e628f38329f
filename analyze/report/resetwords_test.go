package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestAnsweredSentence holds what is said of a send() that an RST answered to what was lost of it.
func TestAnsweredSentence(t *testing.T) {
	drew := &analyze.Call{Call: &event.Call{ID: 7, Actor: "web", Name: "send", Args: "42 bytes", Ret: 42}}
	for name, tt := range map[string]struct {
		lost analyze.Lost
		want string
	}{
		"data":             {analyze.Lost{AfterClose: 42}, ": its 42 bytes are lost though the call succeeded."},
		"a GOAWAY":         {analyze.Lost{AfterClose: 42, Closing: 42}, ": it was a message that only closes, no data are lost."},
		"data and GOAWAY":  {analyze.Lost{AfterClose: 42, Closing: 17}, ": its 42 bytes are lost though the call succeeded."},
		"a TLS alert":      {analyze.Lost{AfterClose: 42, TLSAlerts: 42}, ": it was a TLS alert, no data are lost."},
		"nothing for sure": {analyze.Lost{MayBe: 42}, "answered it."},
	} {
		got := answeredSentence(&analyze.Reset{Frame: 9, Lost: tt.lost}, drew)
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: %q, want it to end with %q", name, got, tt.want)
		}
	}
}
