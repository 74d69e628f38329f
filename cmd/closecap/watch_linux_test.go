package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/internal/outcome"
)

func openKernel(t *testing.T) *bpf.Endings {
	t.Helper()
	source, err := bpf.Open(bpf.Options{})
	if err != nil {
		if os.Getenv("CLOSECAP_NO_SKIP") == "" && (errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return source
}

// TestWatchAgreesWithRun runs every scenario while the kernel's events are gathered, and holds what
// they say against what run says of the same connections by packets and calls.
func TestWatchAgreesWithRun(t *testing.T) {
	bin, source := build(t), openKernel(t)
	scripts := script.Builtin()
	for _, name := range []string{"both-unread", "discarded", "given-up", "orphan-reset"} {
		path, err := filepath.Abs("../../capture/lab/testdata/" + name + ".close")
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, &script.Script{Name: path})
	}
	for _, s := range scripts {
		t.Run(filepath.Base(s.Name), func(t *testing.T) {
			res, events := runWatched(t, bin, source, s.Name)
			for again := 2; again > 0 && endpoints(events) < owed(res); again-- {
				t.Logf("again: told were %d ends of %d", endpoints(events), owed(res))
				res, events = runWatched(t, bin, source, s.Name)
			}
			heed(t, recordingOf(t), events, len(source.Lacks()) == 0)
			want, got := compareWitnesses(events, res)
			if len(source.Lacks()) > 0 {
				forgiveUnknown(want, got)
			}
			if diff := outcome.Diff(want, got); diff != "" {
				told, _ := json.MarshalIndent(events, "", " ")
				t.Errorf("run and kernel disagree (-run +kernel):\n%s\nevents: %s", diff, told)
			} else if *update {
				record(t, s.Name, want, events)
			}
		})
	}
	if l := source.Losses(); l.Total() != l.Untold {
		t.Errorf("lost %+v, want nothing", l)
	}
}

// runWatched runs a scenario, and returns what the kernel told of it. A virtual machine's kernel may keep its host's
// agent from BPF: what a timer or a segment does while it interrupts that is told to no program, though to
// tracefs. So it runs again, twice at most, where fewer ends are told than there were sockets.
func runWatched(t *testing.T, bin string, source *bpf.Endings, scenario string) (*analyze.Result, []event.KernelEvent) {
	t.Helper()
	if err := source.Poll(0, func(event.KernelEvent) {}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "run", scenario, "--format", "json", "--evidence", "calls", "--save", recordingOf(t))
	cmd.Dir = "/"
	var msg bytes.Buffer
	cmd.Stderr = &msg
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("closecap run: %v\n%s%s", err, msg.String(), out)
	}
	var res analyze.Result
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatal(err)
	}
	return &res, gather(t, source, &res)
}

// recordingOf is the file that a test's run is saved in.
func recordingOf(t *testing.T) string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("closecap-%d-%s.pcapng", os.Getpid(), filepath.Base(t.Name())))
}

func endpoints(events []event.KernelEvent) int {
	n := 0
	for _, k := range events {
		if k.Endpoint != nil {
			n++
		}
	}
	return n
}

// owed is how many ends the kernel tells of res's connections: a refused SYN met no second one.
func owed(res *analyze.Result) int {
	n := 0
	for _, c := range res.Connections {
		n += 2
		if c.Ending == analyze.WasRefused {
			n--
		}
	}
	return n
}

// gather returns the events of res's connections.
func gather(t *testing.T, source *bpf.Endings, res *analyze.Result) []event.KernelEvent {
	t.Helper()
	own := map[[2]netip.AddrPort]bool{}
	for _, c := range res.Connections {
		own[[2]netip.AddrPort{c.Client, c.Server}] = true
		own[[2]netip.AddrPort{c.Server, c.Client}] = true
	}
	sockets := map[uint64]bool{}
	var events []event.KernelEvent
	keep := func(k event.KernelEvent) {
		switch {
		case k.Endpoint != nil && own[[2]netip.AddrPort{k.Endpoint.Local, k.Endpoint.Remote}]:
			sockets[k.Endpoint.Socket] = true
		case k.Reset != nil && own[[2]netip.AddrPort{k.Reset.Local, k.Reset.Remote}]:
		case k.Release != nil && sockets[k.Release.Socket]:
		default:
			return
		}
		events = append(events, k)
	}
	if err := source.Poll(100*time.Millisecond, keep); err != nil {
		t.Fatal(err)
	}
	return events
}

// compareWitnesses returns what run says, and what the kernel says of the same connections, in
// their order.
func compareWitnesses(events []event.KernelEvent, res *analyze.Result) (run, kernel []outcome.Outcome) {
	tracker := endings.NewTracker(endings.Options{})
	for _, k := range events {
		tracker.Add(k)
	}
	byClient := map[netip.AddrPort][]outcome.Outcome{}
	for _, c := range tracker.Rest(0) {
		byClient[c.Client] = append(byClient[c.Client], outcome.Of(&c.Connection))
	}
	for _, c := range res.Connections {
		run = append(run, outcome.Of(c))
		if same := byClient[c.Client]; len(same) > 0 {
			kernel = append(kernel, same[0])
			byClient[c.Client] = same[1:]
		}
	}
	return run, kernel
}

// forgiveUnknown leaves of what run says only what an older kernel must say too, where that does not know why
// an RST came: whose it was may then be unknown as well, but never another's.
func forgiveUnknown(run, kernel []outcome.Outcome) {
	for i := range min(len(run), len(kernel)) {
		if k := &kernel[i]; k.Cause == analyze.UnknownCause {
			client, server, closer := run[i].Client, run[i].Server, run[i].Closer
			run[i] = *k
			run[i].Client, run[i].Server, run[i].Closer = client, server, closer
		}
	}
}

// record writes a file for the tests of package endings.
func record(t *testing.T, name string, run []outcome.Outcome, events []event.KernelEvent) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(run); err != nil {
		t.Fatal(err)
	}
	for _, k := range events {
		if err := enc.Encode(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join("../../analyze/endings/testdata", strings.TrimSuffix(filepath.Base(name), ".close")+".ndjson"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWatchShows runs the command itself beside a scenario, in each format, one of them into a file.
func TestWatchShows(t *testing.T) {
	bin := build(t)
	openKernel(t) // skips where it is not allowed
	for format, want := range map[string]string{
		"table":  "unread-data: exe[",
		"csv":    ",unread-data,client,12,",
		"ndjson": `"cause":"unread-data"`,
	} {
		t.Run(format, func(t *testing.T) {
			watch := exec.Command(bin, "watch", "--comm", "exe", "--cause", "unread-data", "--count", "1", "--for", "60s", "--format", format)
			var out, msg bytes.Buffer
			watch.Stdout, watch.Stderr = &out, &msg
			file := filepath.Join(t.TempDir(), "w.csv")
			if format == "csv" {
				watch.Args = append(watch.Args, "-o", file)
			}
			if err := watch.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- watch.Wait() }()
			for {
				// It may not be attached yet: the scenario runs until it is seen.
				if err := exec.Command(bin, "run", "close-unread", "--format", "json").Run(); err != nil {
					t.Errorf("closecap run: %v", err)
				}
				select {
				case err := <-done:
					if format == "csv" && err == nil && out.Len() == 0 {
						b, _ := os.ReadFile(file)
						out.Write(b)
					}
					if err != nil || !bytes.Contains(out.Bytes(), []byte(want)) {
						t.Errorf("closecap watch: %v\n%s%s\nwant %s", err, out.String(), msg.String(), want)
					}
					return
				default:
				}
			}
		})
	}
}

// TestWatchRefused: without the right, it says what is missing and what helps.
func TestWatchRefused(t *testing.T) {
	bin := build(t)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"nobody":         {[]string{"setpriv", "--reuid", fmt.Sprint(nobody), "--clear-groups"}, "sudo, or setcap cap_bpf,cap_perfmon+ep"},
		"user namespace": {[]string{"unshare", "-Ur"}, "in a user namespace nobody may load BPF programs"},
		"types hidden": {[]string{"unshare", "-m", "sh", "-c", `mount -t tmpfs t /sys/kernel/btf && exec "$0" "$@"`},
			"/sys/kernel/btf/vmlinux is missing"},
		"process namespace": {[]string{"unshare", "-pm", "--fork", "--mount-proc"}, "by the numbers that they have outside"},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "user namespace" && os.Getuid() != 0 {
				t.Skip(os.ErrPermission)
			}
			args := []string{bin, "watch", "--count", "1"}
			if name == "process namespace" {
				args = append(args, "--pid", "1")
			}
			cmd := exec.Command(tt.args[0], append(tt.args[1:], args...)...)
			cmd.Dir = "/"
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitFailed || !bytes.Contains(out, []byte(tt.want)) {
				t.Errorf("closecap watch: %v\n%s\nwant exit status 1 and %q", err, out, tt.want)
			}
		})
	}
}

// TestWatchSaves watches scenarios and judges the saved recording again: what analyze gives of it is what
// watch gave, in each format.
func TestWatchSaves(t *testing.T) {
	bin := build(t)
	openKernel(t) // skips where it is not allowed
	for _, format := range []string{"ndjson", "csv", "table"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			saved := filepath.Join(dir, "w.pcapng")
			watch := exec.Command(bin, "watch", "--save", saved, "--for", "3s", "--format", format)
			var out, msg bytes.Buffer
			watch.Stdout, watch.Stderr = &out, &msg
			if err := watch.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- watch.Wait() }()
			for watching := true; watching; {
				for _, name := range []string{"close-unread", "shutdown-wr", "close"} {
					if err := exec.Command(bin, "run", name, "--format", "json").Run(); err != nil {
						t.Errorf("closecap run: %v", err)
					}
				}
				select {
				case err := <-done:
					if err != nil {
						t.Fatalf("closecap watch: %v\n%s", err, msg.String())
					}
					watching = false
				default:
				}
			}
			if bytes.Count(out.Bytes(), []byte("\n")) < 3 {
				t.Fatalf("watched only %q\n%s", out.String(), msg.String())
			}
			analyze := exec.Command(bin, "analyze", "--format", format, saved)
			var again, msgAgain bytes.Buffer
			analyze.Stdout, analyze.Stderr = &again, &msgAgain
			if err := analyze.Run(); err != nil {
				t.Fatalf("closecap analyze: %v\n%s", err, msgAgain.String())
			}
			if d := cmp.Diff(out.String(), again.String()); d != "" {
				t.Errorf("watch -, analyze of what it saved +\n%s", d)
			}
			if d := cmp.Diff(msg.String(), msgAgain.String()); d != "" {
				t.Errorf("on standard error: watch -, analyze +\n%s", d)
			}
			text, err := exec.Command(bin, "analyze", "--format", "json", saved).CombinedOutput()
			if err == nil || !bytes.Contains(text, []byte("holds no packets: want table, ndjson or csv")) {
				t.Errorf("analyze --format json: %v, %s", err, text)
			}
			file, err := os.ReadFile(saved)
			if err != nil {
				t.Fatal(err)
			}
			cut := exec.Command(bin, "analyze", "--format", format, "-")
			cut.Stdin = bytes.NewReader(file[:len(file)*2/3|1]) // within a block: those are whole words
			if text, err := cut.CombinedOutput(); err == nil || !bytes.Contains(text, []byte("closecap: read -: byte ")) {
				t.Errorf("analyze of two thirds: %v\n%s", err, text)
			}
		})
	}
}
