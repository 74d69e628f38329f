package kernel

import (
	"fmt"
	"os"

	"github.com/closecap/closecap/capture/hint"
)

// ReadCounters reads the counters of this process's network namespace.
func ReadCounters() (Counters, error) {
	c := Counters{}
	for _, f := range []struct {
		path   string
		groups []string
	}{
		{"/proc/self/net/netstat", []string{"TcpExt"}},
		{"/proc/self/net/snmp", []string{"Tcp"}},
	} {
		if err := c.read(f.path, f.groups); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c Counters) read(path string, groups []string) error {
	f, err := os.Open(path)
	if err != nil {
		return hint.With(fmt.Errorf("read counters: %w", err), "is /proc mounted?")
	}
	defer f.Close()
	return c.parse(f, groups...)
}
