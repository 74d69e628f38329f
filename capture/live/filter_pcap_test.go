//go:build cgo && !nopcap && !windows

package live

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// syn is an IPv4 packet: a SYN from 127.0.0.1:40000 to 127.0.0.1:80.
var syn = []byte{
	0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
	0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0,
}

func framed(header ...byte) []byte { return append(header, syn...) }

func TestCompileFilter(t *testing.T) {
	packets := map[string]struct {
		link uint16
		data []byte
	}{
		"ethernet": {1, framed(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0)},
		"raw":      {101, syn},
		"ipv4":     {228, syn},
		"sll":      {113, framed(0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0)},
		"sll2":     {276, framed(8, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0)},
		"null":     {0, framed(2, 0, 0, 0)},
	}
	tests := map[string]bool{
		"":                               true,
		"tcp port 80":                    true,
		"tcp port 81":                    false,
		"src port 40000 and dst port 80": true,
		"tcp[tcpflags] & tcp-syn != 0":   true,
		"tcp[tcpflags] & tcp-rst != 0":   false,
		"greater 1000":                   true, // on the wire, not in the capture
		"udp or ip6":                     false,
	}
	for name, packet := range packets {
		for expr, want := range tests {
			match, err := CompileFilter(expr, packet.link)
			if err != nil {
				t.Errorf("%s: CompileFilter(%q) = %v", name, expr, err)
				continue
			}
			if got := match(&event.Packet{Data: packet.data, WireLen: 1500}); got != want {
				t.Errorf("%s: %q matches = %v, want %v", name, expr, got, want)
			}
			if match(&event.Packet{}) && expr != "" {
				t.Errorf("%s: %q matches an empty packet", name, expr)
			}
		}
	}
}

func TestCompileFilterError(t *testing.T) {
	_, err := CompileFilter("tcp prot 80", 1)
	if err == nil || !strings.HasPrefix(err.Error(), `compile filter "tcp prot 80": `) {
		t.Errorf("CompileFilter = %v, want libpcap's reason", err)
	}
}
