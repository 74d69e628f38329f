package closecap_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// Where nobody asks what other tools would say, all else is said as it is otherwise, also of packets with wrong
// checksums.
func TestSkipCompat(t *testing.T) {
	capture := written(t, gen.Options{Connections: 3000, Open: 300})
	const fileHeader, header, checksum = 24, 16, 14 + 10
	for at, n := fileHeader, 0; at < len(capture); n++ {
		packet := capture[at+header:][:binary.LittleEndian.Uint32(capture[at+8:])]
		switch n % 35 {
		case 5:
			packet[checksum] ^= 1
		case 7:
			packet[len(packet)-1] ^= 1
		}
		at += header + len(packet)
	}
	say := func(skip bool) (all []string, none int) {
		a := closecap.New(pcapfile.NewReader(bytes.NewReader(capture), "capture", pcapfile.Options{}), closecap.Options{Options: analyze.Options{SkipCompat: skip}})
		for c, err := range a.Connections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Compat == (analyze.Compat{}) {
				none++
			}
			c.Compat = analyze.Compat{}
			all = append(all, told(c))
		}
		slices.Sort(all)
		return all, none
	}
	want, none := say(false)
	if len(want) < 3000 || none != 0 {
		t.Fatalf("%d connections, of %d nothing is said that other tools would say", len(want), none)
	}
	got, none := say(true)
	if diff := cmp.Diff(want, got); diff != "" || none != len(got) {
		t.Errorf("of %d connections of %d nothing is said that other tools would say; without it (-), skipped (+):\n%s", none, len(got), diff)
	}
}
