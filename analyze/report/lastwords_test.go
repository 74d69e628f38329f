package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

func TestLastWords(t *testing.T) {
	c := &analyze.Connection{Ending: analyze.Graceful, LastWords: &analyze.LastWords{
		Client: &analyze.Words{Protocol: "tls", Meaning: "no TLS close_notify before its FIN", Confidence: analyze.Inferred, Tells: true},
		Server: &analyze.Words{Protocol: "redis", Meaning: "-ERR \x1b[31mred\u202e", Confidence: analyze.Observed, Tells: true, Frame: 7, Acknowledged: true},
	}}
	want := "The server's last words: -ERR \\x1b[31mred\\u202e (frame 7).\n" +
		"Of the client: no TLS close_notify before its FIN. This is inferred."
	if got := strings.Join(lastWordsSentences(c), "\n"); got != want {
		t.Errorf("lastWordsSentences =\n%s\nwant\n%s", got, want)
	}
	if v := Verdict(&analyze.Result{}, c); !strings.Contains(v, want) {
		t.Errorf("Verdict lacks the last words:\n%s", v)
	}

	c.LastWords = &analyze.LastWords{
		Client: &analyze.Words{Protocol: "http1", Meaning: "GET / HTTP/1.1", Frame: 4, Acknowledged: true},
		Server: &analyze.Words{Text: "bye", Frame: 5},
	}
	want = `The server's last words: "bye" (frame 5), of which no acknowledgment was seen.`
	if got := strings.Join(lastWordsSentences(c), "\n"); got != want {
		t.Errorf("lastWordsSentences = %s, want %s", got, want)
	}
}
