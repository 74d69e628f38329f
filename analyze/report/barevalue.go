package report

import (
	"net/netip"
	"strconv"

	"github.com/closecap/closecap/analyze"
)

// text is what stands in the column of c, on its own.
func (l *listColumn) text(c *analyze.Connection) string {
	if l.bare != nil {
		return string(l.bare(nil, c))
	}
	return l.value(c)
}

// bareValue appends a value that needs no quotes in CSV.
type bareValue func(b []byte, c *analyze.Connection) []byte

func number(of func(*analyze.Connection) uint64) bareValue {
	return func(b []byte, c *analyze.Connection) []byte { return strconv.AppendUint(b, of(c), 10) }
}

// appendAddress appends a as a.String returns it.
func appendAddress(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() || a.Addr().Zone() != "" {
		return appendField(b, a.String())
	}
	return a.AppendTo(b)
}

// appendIP and appendPort append an end's address, each nothing where it is not known.
func appendIP(b []byte, a netip.AddrPort) []byte {
	switch {
	case !a.IsValid():
		return b
	case a.Addr().Zone() != "":
		return appendField(b, a.Addr().String())
	}
	return a.Addr().AppendTo(b)
}

func appendPort(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return b
	}
	return strconv.AppendUint(b, uint64(a.Port()), 10)
}
