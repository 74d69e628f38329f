package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/closecap/closecap/analyze/compare"
	"github.com/closecap/closecap/capture/lab/script"
)

// compared is what Linux answers for the scenarios that are compared by default, in their
// order.
var compared = map[string][]string{
	//               close    shutdown-wr  -rd        -rdwr    linger-zero  fork-close
	"sent":          {"fin", "fin", "nothing", "fin", "rst", "nothing"},
	"this-receives": {"no", "yes", "yes", "no", "no", "no"},
	"this-sends":    {"no", "no", "yes", "no", "no", "no"},
	"descriptor":    {"no", "yes", "yes", "yes", "no", "no"},
	"peer-sends":    {"no", "yes", "yes", "no", "no", "yes"},
	"peer-send":     {"EPIPE", "5", "5", "EPIPE", "EPIPE", "5"},
	"peer-recv":     {"EOF", "EOF", "EAGAIN", "EOF", "ECONNRESET", "EAGAIN"},
	"peer-poll": {"POLLIN|POLLOUT|POLLRDHUP", "POLLIN|POLLOUT|POLLRDHUP", "POLLOUT",
		"POLLIN|POLLOUT|POLLRDHUP", "POLLIN|POLLOUT|POLLRDHUP|POLLERR|POLLHUP", "POLLOUT"},
	"lost-own":  {"yes", "yes", "yes", "yes", "no", "yes"},
	"lost-peer": {"yes", "no", "no", "yes", "no", "no"},
	"others":    {"no", "yes", "yes", "yes", "no", "no"},
	"time-wait": {"client", "client", "client", "client", "nobody", "client"},
	"ending":    {"reset", "graceful", "graceful", "reset", "reset", "graceful"},
}

func TestCompare(t *testing.T) {
	bin := build(t)
	accounts := map[string]*syscall.SysProcAttr{"as-is": nil}
	if os.Getuid() == 0 {
		accounts["nobody"] = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	for account, attr := range accounts {
		for _, family := range []string{"", "--ipv6"} {
			t.Run(account+family, func(t *testing.T) {
				c := compareWith(t, bin, attr, strings.Fields(family)...)
				for _, q := range c.Questions {
					want := compared[q.ID]
					for i, a := range q.Answers {
						if a.Basis == compare.Measured && len(a.From) == 0 {
							t.Errorf("%s, %s: %q comes from nowhere", q.ID, a.Scenario, a.Text)
						}
						if want != nil && a.Value != want[i] {
							t.Errorf("%s, %s: got %q (%s), want %q", q.ID, a.Scenario, a.Value, a.Text, want[i])
						}
					}
				}
			})
		}
	}
}

// TestCompareAll asks every built-in scenario: none may keep a variation from running.
func TestCompareAll(t *testing.T) {
	var names []string
	for _, s := range script.Builtin() {
		names = append(names, s.Name)
	}
	c := compareWith(t, build(t), nil, names...)
	if len(c.Scenarios) != len(names) {
		t.Errorf("compared %d scenarios, want %d", len(c.Scenarios), len(names))
	}
	for _, w := range c.Warnings {
		t.Error(w)
	}
}

func compareWith(t *testing.T, bin string, attr *syscall.SysProcAttr, args ...string) *compare.Comparison {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"compare", "--format", "json"}, args...)...)
	cmd.SysProcAttr = attr
	cmd.Dir = "/"
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		skipForbidden(t, msg.String())
		t.Fatalf("closecap compare %q: %v\n%s", args, err, msg.String())
	}
	c := new(compare.Comparison)
	if err := json.Unmarshal(out.Bytes(), c); err != nil {
		t.Fatalf("closecap compare %q: %v", args, err)
	}
	return c
}
