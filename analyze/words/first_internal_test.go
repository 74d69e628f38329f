package words

import "testing"

// FuzzFirst holds that no first bytes make a recogniser fail, and that none says no to a part of what it says yes to.
func FuzzFirst(f *testing.F) {
	for _, s := range []string{"\x00\x00\x00\x00\xff", "\x0a\x00\x00\x00\x0a5.7\x00", "GET / HTTP/1.1\r\n", "*1\r\n$4\r\nPING\r\n", "\x15\x03\x03\x00\x02\x02\x28",
		"SSH-2.0-x\r\n", "220 a ESMTP\r\n", "421 busy\r\n", "\x00\x00\x00\x08\x04\xd2\x16\x2f", preface} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for i := range protocols {
			for e := range 2 {
				for n := 1; n < len(b); n++ {
					var part, whole [2][]byte
					part[e], whole[e] = b[:n:n], b
					p := &protocols[i]
					if p.is(part[Client], part[Server]) == no && p.is(whole[Client], whole[Server]) == yes {
						t.Fatalf("%s: no to %q, yes to %q", p.name, part[e], whole[e])
					}
				}
			}
		}
	})
}
