package main

import (
	"strings"
	"testing"
)

// The command that a finding is told with reads the same, and picks anew.
func TestAgain(t *testing.T) {
	for given, want := range map[string]string{
		"a.pcap --summary --port 80 --width 100":           "closecap analyze a.pcap",
		"a.pcap b.pcap --filter tcp@port@80 --format json": "closecap analyze a.pcap b.pcap --filter 'tcp port 80'",
		"1.pcap 2.pcap 3.pcap 4.pcap 5.pcap --summary":     "closecap analyze 1.pcap ...",
		"--point c=it's.pcap --point s=s-*.pcap":           `closecap analyze --point 'c=it'\''s.pcap' --point 's=s-*.pcap'`,
		"--sample close --no-checksums":                    "closecap analyze --no-checksums --sample close",
		"-":                                                "",
		"--files-from -":                                   "",
	} {
		cmd, _, err := newRoot(streams{}).Find([]string{"analyze"})
		if err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(given)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "@", " ")
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		if got := again(cmd, cmd.Flags().Args()); got != want {
			t.Errorf("again of %q = %q, want %q", given, got, want)
		}
	}
}
