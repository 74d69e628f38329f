//go:build linux && (!cgo || nopcap)

package live

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// dropCounter is the interface whose own drops count, the ones that libpcap counts too: packets
// that the device had no room for.
type dropCounter string

// read returns the drops since the interface exists, 0 where the system does not tell.
func (d dropCounter) read() uint64 {
	var n uint64
	for _, name := range []string{"rx_missed_errors", "rx_fifo_errors"} {
		b, err := os.ReadFile(filepath.Join("/sys/class/net", string(d), "statistics", name))
		if err != nil {
			continue
		}
		if v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
			n += v
		}
	}
	return n
}
