package decode

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// sharkLess names the samples that tshark 4.0 does not read to the end without preferences, or, as
// AYIYA, only for its own view (-V).
var sharkLess = []string{"MPLS pseudowire", "MPLS link", "ERSPAN III of IP", "PKTAP", "PPP of pppd", "NFLOG, big-endian", "FabricPath", "AYIYA"}

// Wireshark is the second reference, and the only one that knows every encapsulation.
func TestTsharkReadsTheSame(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CLOSECAP_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	all := samples(t)
	for i, span := range [][2]int{{0, 504}, {504, 1100}} {
		all = append(all, sample{fmt.Sprint("fragment ", i), 101, piece(t, 9, span[0], span[1]), false})
	}
	path := filepath.Join(t.TempDir(), "samples.pcapng")
	if err := os.WriteFile(path, pcapng(all), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"-n", "-r", path, "-T", "fields", "-E", "occurrence=l", "-E", "separator=|",
		"-d", "udp.port==8472,vxlan", "-o", "wlan.ignore_wep:No",
	}
	for _, f := range strings.Fields("ip.src ipv6.src tcp.srcport tcp.dstport tcp.seq_raw tcp.flags tcp.len " +
		"tcp.window_size_value tcp.options.mss_val tcp.options.timestamp.tsval") {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(all) {
		t.Fatalf("tshark shows %d of %d packets", len(lines), len(all))
	}
	d := New()
	for i, s := range all {
		got, v := read(d, s.link, s.data)
		if slices.Contains(sharkLess, s.name) {
			continue
		}
		if want := lines[i]; line(&got, v) != withoutOuter(want, &got) {
			t.Errorf("%s: Segment reads %q, tshark %q", s.name, line(&got, v), want)
		}
	}
}

func line(s *event.Segment, v Content) string {
	if v != TCP {
		return "|||||||"
	}
	return fmt.Sprintf("%s|%d|%d|%d|0x%04x|%d|%d|%d|%d", s.Src.Addr(), s.Src.Port(), s.Dst.Port(),
		uint32(s.Seq), uint8(s.Flags), s.Len, s.Window, s.Options.MSS, s.Options.TSVal)
}

// withoutOuter drops the address of the other IP version, which a tunnel's outer header has.
func withoutOuter(line string, s *event.Segment) string {
	v4, rest, _ := strings.Cut(line, "|")
	v6, rest, _ := strings.Cut(rest, "|")
	if strings.HasPrefix(rest, "|") {
		return rest
	}
	if s.Src.Addr().Is4() {
		return v4 + "|" + rest
	}
	return v6 + "|" + rest
}

// pcapng is a file of the samples, with an interface for each.
func pcapng(all []sample) []byte {
	le := binary.LittleEndian
	block := func(b []byte, kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		size := uint32(len(body) + 12)
		b = le.AppendUint32(le.AppendUint32(b, kind), size)
		return le.AppendUint32(append(b, body...), size)
	}
	head := append(le.AppendUint32(nil, 0x1a2b3c4d), 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
	b := block(nil, 0x0a0d0d0a, head)
	for i, s := range all {
		b = block(b, 1, le.AppendUint32(le.AppendUint32(nil, uint32(s.link)), 0))
		body := le.AppendUint32(nil, uint32(i))
		body = append(body, make([]byte, 8)...)
		body = le.AppendUint32(body, uint32(len(s.data)))
		body = le.AppendUint32(body, uint32(len(s.data)))
		b = block(b, 6, append(body, s.data...))
	}
	return b
}
