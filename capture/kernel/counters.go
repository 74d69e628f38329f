package kernel

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Counters are the Tcp and TcpExt counters of one network namespace by their names in
// /proc/net/snmp and /proc/net/netstat.
type Counters map[string]int64

// Since returns what changed from before to c, and only that.
func (c Counters) Since(before Counters) map[string]int64 {
	d := map[string]int64{}
	for name, v := range c {
		if v != before[name] {
			d[name] = v - before[name]
		}
	}
	return d
}

// parse adds the counters of the named groups. The files hold pairs of lines: "TcpExt: name
// name…", then "TcpExt: value value…".
func (c Counters) parse(r io.Reader, groups ...string) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		names := strings.Fields(sc.Text())
		if !sc.Scan() {
			return fmt.Errorf("parse counters: %w", io.ErrUnexpectedEOF)
		}
		values := strings.Fields(sc.Text())
		if len(names) == 0 || len(values) != len(names) || values[0] != names[0] {
			return fmt.Errorf("parse counters: line %.40q does not match %.40q", values, names)
		}
		if !wanted(names[0], groups) {
			continue
		}
		for i, name := range names[1:] {
			v, err := strconv.ParseInt(values[i+1], 10, 64)
			if err != nil {
				return fmt.Errorf("parse counter %s: %w", name, err)
			}
			c[name] = v
		}
	}
	return sc.Err()
}

func wanted(label string, groups []string) bool {
	for _, g := range groups {
		if label == g+":" {
			return true
		}
	}
	return false
}
