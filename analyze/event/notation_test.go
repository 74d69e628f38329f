package event

import "testing"

func TestSegmentNotation(t *testing.T) {
	lines := []string{
		"6 0.000391000 10.0.0.1:40000 > 10.0.0.2:80 F. seq 113 ack 1 len 12 win 512 id 7 ttl 64",
		"1 1767225600.123456789 [::1]:1 > [fe80::1]:65535 S seq 4294967295 win 65535 if 3 mss 1460 wscale 7 tfo 8 ts 1:0 sackOK",
		"2 0.000000000 10.0.0.1:1 > 10.0.0.2:2 none seq 0",
		"3 0.000000001 10.0.0.1:1 > 10.0.0.2:2 FSRP.UEW seq 1 ack 2 id 0 sack 5:9 cut options-cut bad-checksum bad-ip-checksum fragment out in sack-twice scale-first tls-alert",
	}
	for _, line := range lines {
		s, err := ParseSegment(line)
		if err != nil {
			t.Errorf("ParseSegment(%q): %v", line, err)
			continue
		}
		if got := s.String(); got != line {
			t.Errorf("String() = %q, want %q", got, line)
		}
	}
}

func TestSegmentNotationErrors(t *testing.T) {
	for _, line := range []string{
		"", "1 0 10.0.0.1:1 > 10.0.0.2:2", "x 0 10.0.0.1:1 > 10.0.0.2:2 S", "1 y 10.0.0.1:1 > 10.0.0.2:2 S",
		"1 0 10.0.0.1 > 10.0.0.2:2 S", "1 0 10.0.0.1:1 > z:2 S", "1 0 10.0.0.1:1 > 10.0.0.2:2 Z",
		"1 0 10.0.0.1:1 > 10.0.0.2:2 S seq", "1 0 10.0.0.1:1 > 10.0.0.2:2 S seq x", "1 0 10.0.0.1:1 > 10.0.0.2:2 S colour 3",
		"1 0.1234567891 10.0.0.1:1 > 10.0.0.2:2 S", "1 -5 10.0.0.1:1 > 10.0.0.2:2 S", "1 0 10.0.0.1:1 > 10.0.0.2:2 S ts 1:z",
	} {
		if s, err := ParseSegment(line); err == nil {
			t.Errorf("ParseSegment(%q) = %v, want an error", line, &s)
		}
	}
}

func FuzzParseSegment(f *testing.F) {
	f.Add("6 0.000391 10.0.0.1:40000 > 10.0.0.2:80 F. seq 113 ack 1 len 12 win 512 id 7 ttl 64 sackOK ts 5:6")
	f.Fuzz(func(t *testing.T, line string) {
		s, err := ParseSegment(line)
		if err != nil {
			return
		}
		again, err := ParseSegment(s.String())
		if err != nil || again != s {
			t.Errorf("ParseSegment(%q) = %v, %v; want %v", s.String(), &again, err, &s)
		}
	})
}

func TestCallSummary(t *testing.T) {
	for want, c := range map[string]Call{
		"client shutdown(3, SHUT_WR) = -1 ENOTCONN": {Actor: "client", FD: 3, Name: "shutdown", Args: "SHUT_WR", Ret: -1, Errno: "ENOTCONN", End: 1},
		"server recv(4, 64 bytes) = 0":              {Actor: "server", FD: 4, Name: "recv", Args: "64 bytes", End: 1},
		"server recv(4, 64 bytes) = ?":              {Actor: "server", FD: 4, Name: "recv", Args: "64 bytes"}, // it had not returned
		"exit(1) = 0":                               {FD: -1, Name: "exit", Args: "1", End: 1},
	} {
		if got := c.Summary(); got != want {
			t.Errorf("Summary() = %q, want %q", got, want)
		}
	}
}
