package pcapfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tool runs a program over a saved recording, or skips where it is not installed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CLOSECAP_NO_SKIP") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func savedRecording(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rec.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	comment := func(uint64) string { return "cause: client send(3)" }
	about := Interface{Name: "lo", Filter: "tcp port 80", SnapLen: 262144}
	if err := WriteRecording(f, sampleRecording(), about, comment, "the client closed first"); err != nil {
		t.Fatal(err)
	}
	return path
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("output lacks %q:\n%s", want, text)
		}
	}
}

func TestTsharkShowsCallsAndComments(t *testing.T) {
	path := savedRecording(t)
	contains(t, tool(t, "tshark", "-r", path),
		`client send(3, "h\xff\n\x1b[1m`, "the client closed first")
	fields := tool(t, "tshark", "-r", path, "-T", "fields", "-e", "frame.number",
		"-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "frame.comment")
	contains(t, fields,
		"2\t1764000000.123456789\tlo\tcause: client send(3)",
		"6\t1764000000.123458789\tlo\tcause: client send(3)")
}

func TestTcpdumpReadsRecording(t *testing.T) {
	out := tool(t, "tcpdump", "--nano", "-tt", "-nr", savedRecording(t))
	for _, time := range []string{"1764000000.123456789 ", "1764000000.123457789 ", "1764000000.123458789 "} {
		if strings.Count(out, time) != 1 {
			t.Errorf("tcpdump shows no packet of %s:\n%s", time, out)
		}
	}
}

func TestCapinfosReadsRecording(t *testing.T) {
	contains(t, tool(t, "capinfos", savedRecording(t)),
		"closecap 0.1.0", "Linux 6.18.44", "Name = lo", "tcp port 80", "nanoseconds")
}

// Wireshark gives a call the microsecond in which it began.
func TestTsharkShowsTheCallsTimes(t *testing.T) {
	rec := sampleRecording()
	fields := tool(t, "tshark", "-r", savedRecording(t), "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch")
	for i := range rec.Calls {
		us := int64(rec.Calls[i].Start) / 1000
		contains(t, fields, fmt.Sprintf("%d\t%d.%06d000\n", rec.Calls[i].ID, us/1e6, us%1e6))
	}
}

// Calls and packets of a recording are the rows that Wireshark shows, under the same numbers.
func TestFramesAreWiresharksRows(t *testing.T) {
	for _, path := range savedRecordings(t) {
		got, err := ours(t, path)
		if err != nil {
			t.Fatal(err)
		}
		rows := tool(t, "tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "systemd_journal.message")
		shown := 0
		for line := range strings.Lines(rows) {
			frame, message, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if _, err := strconv.Atoi(frame); err != nil {
				continue
			}
			shown++
			if row := frame + "\t\t\t\t\n"; (message != "") != strings.Contains("\n"+got, "\n"+row) {
				t.Errorf("%s: frame %s is %q in tshark, and here:\n%s", path, frame, message, got)
			}
		}
		if n := strings.Count(got, "\n"); n != shown {
			t.Errorf("%s: %d frames, tshark has %d", path, n, shown)
		}
	}
}
