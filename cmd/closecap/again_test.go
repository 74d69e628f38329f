package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command that a finding is told with reads the same, and picks anew.
func TestAgain(t *testing.T) {
	folder := t.TempDir()
	var files []string
	for _, name := range []string{"1.pcap", "2.pcap", "3.pcap", "4.pcap", "5.pcap", "6.pcap"} {
		files = append(files, filepath.Join(folder, name))
		if err := os.WriteFile(files[len(files)-1], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for given, want := range map[string]string{
		"a.pcap --summary --port 80 --width 100":           "closecap analyze a.pcap",
		"a.pcap b.pcap --filter tcp@port@80 --format json": "closecap analyze a.pcap b.pcap --filter 'tcp port 80'",
		"1.pcap 2.pcap 3.pcap 4.pcap 5.pcap --summary":     "closecap analyze 1.pcap ...",
		strings.Join(files, " ") + " --summary":            "closecap analyze " + folder,
		strings.Join(files[:5], " "):                       "closecap analyze " + files[0] + " ...",
		strings.Join(files[:5], " ") + " " + files[0]:      "closecap analyze " + files[0] + " ...",
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
