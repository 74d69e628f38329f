package compat_test

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/internal/story"
)

const (
	opened = `
1 0 client > server S seq 100 win 9
2 0 server > client S. seq 500 ack 101 win 9
`
	shakeHands = opened + `3 0 client > server . seq 101 ack 501 win 9
`
)

func want(state, history string, completeness int, tcptrace string) analyze.Compat {
	return analyze.Compat{ZeekConnState: state, ZeekHistory: history, Completeness: completeness, Tcptrace: tcptrace}
}

func judgeAll(segments []event.Segment) []*analyze.Connection {
	var out []*analyze.Connection
	f := flows.NewFollower(analyze.Options{}, func(c *analyze.Connection) { out = append(out, c) })
	f.Segments(segments)
	f.Finish()
	return out
}

// TestCompat holds the fields of other tools against segments whose values they are known
// for.
func TestCompat(t *testing.T) {
	tests := []struct {
		name, segments string
		want           analyze.Compat
	}{
		{"R alone", `1 0 client > server R seq 5`, want("OTH", "R", 0, "reset")},
		{"SR", "1 0 client > server S seq 100 win 9\n2 0 client > server R seq 101",
			want("RSTOS0", "SR", 33, "reset")},
		{"SaR", "1 0 client > server S seq 100 win 9\n2 0 server > client . seq 7 ack 3 win 9\n3 0 client > server R seq 3",
			want("RSTOS0", "SaR", 37, "reset")},
		{"SaFR", "1 0 client > server S seq 100 win 9\n2 0 server > client . seq 7 ack 3 win 9\n3 0 client > server F. seq 101 ack 8 win 9\n4 0 client > server R seq 102",
			want("OTH", "SaFR", 53, "reset")},
		{"S0", "1 0 client > server S seq 100 win 9", want("S0", "S", 1, "unidirectional")},
		{"REJ", "1 0 client > server S seq 100 win 9\n2 0 server > client R. seq 0 ack 101", want("REJ", "Sr", 37, "reset")},
		{"RSTRH", "1 0 server > client S. seq 100 ack 7 win 9\n2 0 server > client R. seq 101 ack 7", want("RSTRH", "^hr", 38, "reset")},
		{"SH", "1 0 client > server S seq 100 win 9\n2 0 client > server F. seq 101 ack 5 win 9", want("SH", "SF", 21, "unidirectional")},
		{"SHR", "1 0 server > client S. seq 100 ack 7 win 9\n2 0 server > client F. seq 101 ack 7 win 9", want("SHR", "^hf", 22, "unidirectional")},
		{"S1", shakeHands, want("S1", "ShA", 7, "incomplete (2 SYN, 0 FIN)")},
		{"S2", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9", want("S2", "ShAF", 23, "incomplete (2 SYN, 1 FIN)")},
		{"S3", shakeHands + "4 0 server > client F. seq 501 ack 101 win 9", want("S3", "ShAf", 23, "incomplete (2 SYN, 1 FIN)")},
		{"SF", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9\n5 0 server > client F. seq 501 ack 102 win 9",
			want("SF", "ShAFf", 23, "complete")},
		{"FIN, RST, FIN is SF", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9\n5 0 client > server R seq 102\n6 0 server > client F. seq 501 ack 102 win 9",
			want("SF", "ShAFRf", 55, "reset")},
		{"RSTO", shakeHands + "4 0 client > server R. seq 101 ack 501 win 9", want("RSTO", "ShAR", 39, "reset")},
		{"RSTR", shakeHands + "4 0 server > client R. seq 501 ack 101 win 9", want("RSTR", "ShAr", 39, "reset")},
		{"both reset without data", shakeHands + "4 0 client > server R. seq 101 ack 501 win 9\n5 0 server > client R. seq 501 ack 101 win 9",
			want("REJ", "ShARr", 39, "reset")},
		{"FIN and RST in one segment is no FIN", shakeHands + "4 0 client > server FR. seq 101 ack 501 win 9",
			want("RSTO", "ShAI", 55, "reset")},
		{"a SYN with a FIN closes", shakeHands + "4 0 client > server FS seq 101 win 9", want("S2", "ShAQ", 7, "incomplete (2 SYN, 1 FIN)")},
		{"a retransmitted FIN adds nothing", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9\n5 1 client > server F. seq 101 ack 501 win 9",
			want("S2", "ShAF", 23, "incomplete (2 SYN, 1 FIN)")},
		{"data with a FIN logs F alone", shakeHands + "4 0 client > server FP. seq 101 ack 501 len 9 win 9",
			want("S2", "ShAF", 31, "incomplete (2 SYN, 1 FIN)")},
		{"retransmitted payload", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9\n5 1 client > server P. seq 101 ack 501 len 9 win 9",
			want("S1", "ShADT", 15, "incomplete (2 SYN, 0 FIN)")},
		{"zero window", shakeHands + "4 0 server > client . seq 501 ack 101", want("S1", "ShAaw", 7, "incomplete (2 SYN, 0 FIN)")},
		{"no zero window after the peer's FIN", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9\n5 0 server > client . seq 501 ack 102",
			want("S2", "ShAFa", 23, "incomplete (2 SYN, 1 FIN)")},
		{"a gap", shakeHands + "4 0 client > server P. seq 151 ack 501 len 9 win 9\n5 0 server > client . seq 501 ack 160 win 9",
			want("S1", "ShADaG", 15, "incomplete (2 SYN, 0 FIN)")},
		{"no gap by a FIN's ack", shakeHands + "4 0 client > server P. seq 151 ack 501 len 9 win 9\n5 0 server > client F. seq 501 ack 160 win 9",
			want("S3", "ShADf", 31, "incomplete (2 SYN, 1 FIN)")},
		{"bad checksum", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9 bad-checksum",
			want("S1", "ShAC", 15, "incomplete (2 SYN, 0 FIN)")},
		{"a bad checksum's payload is sent again", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9 bad-checksum\n" +
			"5 1 client > server P. seq 101 ack 501 len 9 win 9\n6 1 server > client . seq 501 ack 110 win 9",
			want("S1", "ShACDa", 15, "incomplete (2 SYN, 0 FIN)")},
		{"a bad checksum's payload is acknowledged", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9 bad-checksum\n" +
			"5 1 server > client . seq 501 ack 110 win 9",
			want("S1", "ShACaG", 15, "incomplete (2 SYN, 0 FIN)")},
		{"a FIN with a bad checksum", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9 bad-checksum",
			want("S1", "ShAC", 23, "incomplete (2 SYN, 1 FIN)")},
		{"a bad IP checksum is no packet", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9 bad-ip-checksum",
			want("S1", "ShA", 23, "incomplete (2 SYN, 1 FIN)")},
		{"but what it brought is missing", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9 bad-ip-checksum\n5 0 server > client . seq 501 ack 110 win 9",
			want("S1", "ShAaG", 15, "incomplete (2 SYN, 0 FIN)")},
		{"nor does it begin anything", "1 0 client > server S seq 100 win 9 bad-ip-checksum\n2 0 server > client S. seq 500 ack 101 win 9",
			want("OTH", "^h", 3, "incomplete (2 SYN, 0 FIN)")},
		{"a SYN,ACK first, then an ACK of its own end", "1 0 10.0.0.2:5000 > client S. seq 500 ack 101 win 9\n2 0 10.0.0.2:5000 > client . seq 501 ack 113 win 9\n" +
			"3 0 10.0.0.2:5000 > client F. seq 501 ack 114 win 9",
			want("SHR", "^haf", 22, "unidirectional")},
		{"a SYN,ACK first, then its ACK", "1 0 10.0.0.2:5000 > client S. seq 500 ack 101 win 9\n2 0 client > 10.0.0.2:5000 . seq 101 ack 501 win 9\n" +
			"3 0 client > 10.0.0.2:5000 P. seq 101 ack 501 len 5 win 9",
			want("S1", "^hAD", 14, "incomplete (1 SYN, 0 FIN)")},
		{"a SYN,ACK first, then data", "1 0 10.0.0.2:5000 > client S. seq 500 ack 101 win 9\n2 0 10.0.0.2:5000 > client P. seq 501 ack 101 len 5 win 9",
			want("OTH", "^hd", 10, "unidirectional")},
		{"mid-stream from a server's port", "1 0 server > client P. seq 5 ack 7 len 3 win 9\n2 0 client > server . seq 7 ack 8 win 9",
			want("OTH", "^dA", 12, "incomplete (0 SYN, 0 FIN)")},
		{"data on the SYN", "1 0 client > server S seq 100 len 4 win 9", want("S0", "ST", 9, "unidirectional")},
		{"the SYN,ACK is enough", opened,
			want("S1", "Sh", 3, "incomplete (2 SYN, 0 FIN)")},
		{"refused by a reset after the SYN,ACK", opened + "3 0 server > client R. seq 501 ack 101",
			want("RSTR", "Shr", 39, "reset")},
		{"a SYN is acknowledged without one", "1 0 client > server S seq 100 win 9\n2 0 server > client . seq 7 ack 3 win 9",
			want("S0", "Sa", 5, "incomplete (1 SYN, 0 FIN)")},
		{"no SYN, but the SYN,ACK's ACK", "1 0 server > client S. seq 500 ack 101 win 9\n2 0 client > server . seq 101 ack 501 win 9",
			want("S1", "^hA", 6, "incomplete (1 SYN, 0 FIN)")},
		{"a SYN,ACK before its SYN", "1 0 10.0.0.2:5000 > client S. seq 500 ack 101 win 9\n2 0 client > 10.0.0.2:5000 S seq 100 win 9\n3 0 client > 10.0.0.2:5000 . seq 101 ack 501 win 9",
			want("S1", "Hs^A", 6, "incomplete (2 SYN, 0 FIN)")},
		{"a SYN,ACK from a port that is no server's", "1 0 10.0.0.2:5000 > client S. seq 500 ack 101 win 9\n2 0 client > 10.0.0.2:5000 R seq 101",
			want("REJ", "Hr", 34, "reset")},
		{"two ports of servers: the lower is one", "1 0 server > 10.0.0.1:8080 P. seq 5 ack 7 len 3 win 9",
			want("OTH", "^d", 0, "unidirectional")},
		{"a second SYN,ACK adds nothing", opened + "3 1 server > client S. seq 900 ack 101 win 9",
			want("S1", "Sh", 3, "incomplete (2 SYN, 0 FIN)")},
		{"a FIN does not undo a reset", shakeHands + "4 0 server > client R. seq 501 ack 101\n5 0 server > client F. seq 501 ack 101 win 9",
			want("RSTR", "ShArf", 55, "reset")},
		{"a window of 0 on the SYN", "1 0 client > server S seq 100", want("S0", "SW", 1, "unidirectional")},
		{"late payload", shakeHands + "4 0 client > server P. seq 110 ack 501 len 9 win 9\n5 0 client > server P. seq 101 ack 501 len 9 win 9",
			want("S1", "ShADT", 15, "incomplete (2 SYN, 0 FIN)")},
		{"a keep-alive's byte", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9\n5 0 server > client . seq 501 ack 110 win 9\n6 60 client > server . seq 109 ack 501 len 1 win 9",
			want("S1", "ShADaT", 15, "incomplete (2 SYN, 0 FIN)")},
		{"an RST with payload", shakeHands + "4 0 server > client R. seq 501 ack 101 len 20", want("RSTR", "ShArt", 47, "reset")},
		{"what was acknowledged and not captured", shakeHands + "4 0 client > server P. seq 101 ack 501 len 538 win 9\n5 0 server > client . seq 501 ack 639 win 9\n" +
			"6 0 server > client F. seq 3403 ack 639 win 9\n7 0 client > server . seq 639 ack 3404 win 9\n8 0 client > server F. seq 639 ack 3404 win 9",
			want("SF", "ShADafgF", 31, "complete")},
		{"a SYN,ACK acknowledges what was not captured", "1 0 client > server S seq 100 win 9\n2 0 server > client S. seq 500 ack 201 win 9",
			want("S1", "ShG", 3, "incomplete (2 SYN, 0 FIN)")},
		{"both reset after unseen payload", shakeHands + "4 0 server > client . seq 501 ack 901 win 9\n5 0 client > server R seq 101\n6 0 server > client R. seq 501 ack 901",
			want("RSTR", "ShAaGRr", 39, "reset")},
		{"both reset after a FIN", shakeHands + "4 0 client > server F. seq 101 ack 501 win 9\n5 0 client > server R seq 102\n6 0 server > client R. seq 501 ack 102",
			want("REJ", "ShAFRr", 55, "reset")},
		{"a cut header", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9 cut options-cut",
			want("S1", "ShA", 15, "incomplete (2 SYN, 0 FIN)")},
		{"what a cut header brought is a gap", shakeHands + "4 0 client > server P. seq 101 ack 501 len 9 win 9 cut options-cut\n5 0 server > client . seq 501 ack 110 win 9",
			want("S1", "ShAaG", 15, "incomplete (2 SYN, 0 FIN)")},
		{"cut payload is a gap", shakeHands + "4 0 client > server P. seq 101 ack 501 len 474 win 9 cut\n5 0 server > client . seq 501 ack 575 win 9\n" +
			"6 0 server > client . seq 501 ack 575 len 900 win 9 cut\n7 0 client > server . seq 575 ack 1401 win 9",
			want("S1", "ShADaGdg", 15, "incomplete (2 SYN, 0 FIN)")},
	}
	for _, tt := range tests {
		conns := judgeAll(story.Parse(t, tt.segments))
		if len(conns) != 1 {
			t.Errorf("%s: %d connections, want 1", tt.name, len(conns))
			continue
		}
		if got := conns[0].Compat; got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestZeekForgets keeps what comes 5 s after the close out of conn_state and history.
func TestZeekForgets(t *testing.T) {
	for _, tt := range []struct{ name, segments, state, history string }{
		{"both closed", shakeHands + `
4 1 client > server F. seq 101 ack 501 win 9
5 1 server > client F. seq 501 ack 102 win 9
6 1 client > server . seq 102 ack 502 win 9
7 7 server > client R seq 502
`, "SF", "ShAFf"},
		{"payload missing at the close", shakeHands + `
4 1 client > server F. seq 101 ack 501 win 9
5 1 server > client F. seq 601 ack 102 win 9
6 8 server > client P. seq 501 ack 102 len 100 win 9
7 9 client > server R seq 102
`, "SF", "ShAFfdtR"},
		{"payload not acknowledged at the close", shakeHands + `
4 1 server > client P. seq 501 ack 101 len 9 win 9
5 1 client > server F. seq 101 ack 501 win 9
6 1 server > client F. seq 510 ack 102 win 9
7 8 client > server R seq 102
`, "SF", "ShAdFfR"},
		{"one direction", `
1 1 client > server S seq 100 win 9
2 1 client > server F. seq 101 ack 5 win 9
3 7 client > server R seq 102
`, "SH", "SF"},
	} {
		got := judgeAll(story.Parse(t, tt.segments))[0].Compat
		if got.ZeekHistory != tt.history || got.ZeekConnState != tt.state {
			t.Errorf("%s: %s %s, want %s %s", tt.name, got.ZeekConnState, got.ZeekHistory, tt.state, tt.history)
		}
	}
}
