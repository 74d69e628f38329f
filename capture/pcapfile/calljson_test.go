package pcapfile

import (
	"bytes"
	"net/netip"
	"os"
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzCall reads a call twice: what callReader takes must be what encoding/json makes of it.
func FuzzCall(f *testing.F) {
	for _, path := range savedRecordings(f) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range bytes.Split(b, []byte("\n")) {
			if text, found := bytes.CutPrefix(line, []byte(fieldCall+"=")); found {
				f.Add(string(text))
				var c event.Call
				if !new(callReader).read(text, &c) {
					f.Errorf("%s: callReader leaves %s", path, text)
				}
			}
		}
	}
	f.Add(`{"text":"\u001b[1m\\","samples":[{"timer":"]}"}],"pid":-0}`)
	f.Add(`{"pid":1,"sent":[{"time":"2026-01-02T00:00:00.000000001Z","flags":17,"seq":4294967295,"len":0}],"text":""}`)
	f.Add(`{"pid":1,}`)
	f.Add(`{"start":"2026-13-01T00:00:00.000000000Z","local":"[::1]:0"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var got, want event.Call
		var r callReader
		for range 2 { // the second time from what was kept of the first
			got = event.Call{}
			if !r.read([]byte(text), &got) {
				return
			}
		}
		if err := unmarshal([]byte(text), &want, 1<<20); err != nil {
			t.Fatalf("callReader takes %q, encoding/json says %v", text, err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
			t.Errorf("callReader reads %q as (-encoding/json +callReader)\n%s", text, d)
		}
	})
}
