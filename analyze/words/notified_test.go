package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
)

// TestNotified holds that a close is told to follow the other end's close_notify, and when that came.
func TestNotified(t *testing.T) {
	record := func(kind byte, body string) string {
		return string([]byte{kind, 3, 3, 0, byte(len(body))}) + body
	}
	hello := record(22, "\x01"+strings.Repeat("h", 40))
	chosen := record(22, "\x02"+strings.Repeat("h", 40))
	data := record(23, strings.Repeat("d", 40))
	sealed, clear := record(21, strings.Repeat("a", 26)), record(21, "\x01\x00")
	talk := []sent{{0, 0, ack, 0, hello}, {0, 1, ack, len(hello), chosen}, {0, 0, ack, len(chosen), data}, {0, 1, ack, len(hello + data), data}}
	n, m := len(chosen+data), len(hello+data)
	client := known{closer: analyze.Client}
	for name, tt := range map[string]struct {
		list []sent
		want string
		sure analyze.Confidence
	}{
		"idle, sealed": {[]sent{{wait, 1, ack, m, sealed}, {time.Millisecond, 0, fin, n + len(sealed), ""}, {0, 1, fin, m + 1, ""}},
			"the server ended it: TLS close_notify (frame 7) after 2.0 s of idling, then the client closed", analyze.Inferred},
		"idle, in clear": {[]sent{{wait, 1, ack, m, clear}, {time.Millisecond, 0, fin, n + len(clear), ""}, {0, 1, fin, m + 1, ""}},
			"the server ended it: TLS close_notify (frame 7) after 2.0 s of idling, then the client closed", analyze.Observed},
		"at once": {[]sent{{0, 1, ack, m, sealed}, {wait, 0, fin, n + len(sealed), ""}, {0, 1, fin, m + 1, ""}},
			"the server ended it: TLS close_notify (frame 7), then the client closed, 2.0 s later", analyze.Inferred},
		"its own before": {[]sent{{wait, 0, ack, n, sealed}, {0, 1, ack, m + len(sealed), sealed}, {0, 0, fin, n + len(sealed), ""}, {0, 1, fin, m + len(sealed) + 1, ""}},
			"the client closed after 2.0 s of idling", analyze.Observed},
		"none": {[]sent{{wait, 0, fin, n, ""}, {0, 1, fin, m + 1, ""}}, "the client closed after 2.0 s of idling", analyze.Observed},
	} {
		if got, sure, _ := reasonOf(append(talk[:4:4], tt.list...), nil, client); got != tt.want || sure != tt.sure {
			t.Errorf("%s: %q (%s), want %q (%s)", name, got, sure, tt.want, tt.sure)
		}
	}
}
