package analyze

import "testing"

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 bytes", 1: "1 byte", 2: "2 bytes", 999: "999 bytes", 1000: "1,000 bytes",
		1234567: "1,234,567 bytes",
	} {
		if got := Count(n, "byte"); got != want {
			t.Errorf("Count(%d, byte) = %q, want %q", n, got, want)
		}
	}
}
