package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/lab/script"
)

// nobody is the account that the tests take for one without any privilege.
const nobody = 65534

// TestScenarios runs every built-in scenario for real, once with the privileges that the
// test has and once without any, and holds the tool to what the kernel said.
func TestScenarios(t *testing.T) {
	bin := build(t)
	accounts := map[string]*syscall.SysProcAttr{"as-is": nil}
	if os.Getuid() == 0 {
		accounts["nobody"] = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	for account, attr := range accounts {
		for _, s := range script.Builtin() {
			t.Run(account+"/"+s.Name, func(t *testing.T) {
				cmd := exec.Command(bin, "run", s.Name, "--format", "json")
				cmd.SysProcAttr = attr
				cmd.Dir = "/"
				var out, msg bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &msg
				if err := cmd.Run(); err != nil {
					skipForbidden(t, msg.String())
					t.Errorf("closecap run %s: %v\n%s", s.Name, err, msg.String())
				}
				var r analyze.Result
				if err := json.Unmarshal(out.Bytes(), &r); err != nil {
					t.Fatalf("closecap run %s: %v\n%s", s.Name, err, out.String())
				}
				for _, p := range problems(&r) {
					t.Error(p)
				}
			})
		}
	}
}

// skipForbidden skips where the system allows neither capturing nor user namespaces.
func skipForbidden(t *testing.T, msg string) {
	t.Helper()
	if strings.Contains(msg, "user namespace") && os.Getenv("CLOSECAP_NO_SKIP") == "" {
		t.Skip(msg)
	}
}

// problems lists what a run on one host must never show.
func problems(r *analyze.Result) []string {
	var out []string
	for _, e := range r.Expectations {
		if !e.OK {
			out = append(out, fmt.Sprintf("%s: %s: got %s", e.At, e.Text, e.Got))
		}
	}
	if len(r.Expectations) == 0 {
		out = append(out, "the scenario expects nothing")
	}
	if r.Capture.Dropped != 0 {
		out = append(out, fmt.Sprintf("the capture lost %d packets", r.Capture.Dropped))
	}
	if len(r.Connections) == 0 {
		out = append(out, "no connection was captured")
	}
	for _, c := range r.Connections {
		for _, w := range c.Warnings {
			out = append(out, fmt.Sprintf("connection %d: %s", c.ID, w))
		}
		for _, s := range c.Segments {
			if s.Root.Kind == analyze.RootUnknown || s.Root.Kind == "" {
				out = append(out, fmt.Sprintf("frame %d (%s from the %s) has no known root: %s", s.Frame, s.FlagText, s.From, s.Root.Why))
			}
		}
	}
	sampled := 0
	for _, c := range r.Calls {
		sampled += len(c.States)
	}
	if sampled == 0 {
		out = append(out, "no call has the kernel's states")
	}
	return out
}

// build compiles the program where every account can run it.
func build(t *testing.T) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// built is the program, made when the first test asks for it; tests removes it. Where there is no compiler,
// CLOSECAP_BIN names it.
var built = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("CLOSECAP_BIN"); bin != "" {
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "closecap-test")
	if err != nil {
		return "", err
	}
	builtIn = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "closecap")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

var builtIn string
