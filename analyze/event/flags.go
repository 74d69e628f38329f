package event

import "strings"

// Flags are the control bits of a TCP header, as in its 14th byte (RFC 9293 3.1).
type Flags uint8

// The control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all bits of f2 are set in f.
func (f Flags) Has(f2 Flags) bool { return f&f2 == f2 }

var flagNames = [8]struct {
	dump byte // tcpdump's letter
	word string
}{{'F', "FIN"}, {'S', "SYN"}, {'R', "RST"}, {'P', "PSH"}, {'.', "ACK"}, {'U', "URG"}, {'E', "ECE"}, {'W', "CWR"}}

// String writes the flags as tcpdump does: "S", "S.", "P.", "F.", "R", "."; "none" without any.
func (f Flags) String() string {
	if f == 0 {
		return "none"
	}
	b := make([]byte, 0, len(flagNames))
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			b = append(b, n.dump)
		}
	}
	return string(b)
}

// Words writes the flags for people, FIN and SYN and RST first: "FIN,ACK".
func (f Flags) Words() string {
	if f == 0 {
		return "none"
	}
	var w []string
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			w = append(w, n.word)
		}
	}
	return strings.Join(w, ",")
}

// ParseFlags reads what String wrote. An unknown letter gives ok false.
func ParseFlags(s string) (f Flags, ok bool) {
	if s == "none" {
		return 0, true
	}
next:
	for i := range len(s) {
		for bit, n := range flagNames {
			if s[i] == n.dump {
				f |= 1 << bit
				continue next
			}
		}
		return 0, false
	}
	return f, s != ""
}
