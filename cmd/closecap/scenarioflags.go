package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab"
)

// scenarioFlags are the flags of the commands that run scenarios.
type scenarioFlags struct {
	ipv6    bool
	timeout time.Duration
}

func (f *scenarioFlags) flags(fl *pflag.FlagSet) {
	fl.BoolVarP(&f.ipv6, "ipv6", "6", false, "use IPv6")
	fl.DurationVar(&f.timeout, "timeout", 30*time.Second, "give up on a scenario after this long")
}

// possible refuses what can't be meant.
func (f *scenarioFlags) possible() error {
	if f.timeout < 0 {
		return misused("--timeout %v: want a duration, not before zero", f.timeout)
	}
	return nil
}

// options are those of a run in the network namespace that this process is in.
func (f *scenarioFlags) options() lab.Options {
	return lab.Options{IPv6: f.ipv6, Timeout: f.timeout, Private: kernel.InPrivate()}
}

// apart are the arguments with which this program runs a scenario in a private namespace, and says in JSON what came
// of it.
func (f *scenarioFlags) apart(scenario string, command ...string) []string {
	return append(command, "--format", string(report.JSON), "--timeout", f.timeout.String(), fmt.Sprintf("--ipv6=%t", f.ipv6), "--", scenario)
}
