package lab

import (
	"time"

	"github.com/closecap/closecap/capture/bpf"
)

// Options say how a script is run. The zero value runs it on IPv4 in the host's namespace,
// on a free port, for at most 30 seconds.
type Options struct {
	Port     uint16            // the server's; 0 picks one
	IPv6     bool              // over ::1
	Timeout  time.Duration     // from when the actors are ready; 0 means 30 s
	Private  bool              // the process is in a network namespace of its own
	Progress func(line string) // gets each line before it runs; nil for nobody

	// Endings opens what tells how the kernel's own ends of the connections end. Nobody is asked where it is nil
	// or returns nil.
	Endings func(bpf.Options) (bpf.Source, error)
}

const defaultTimeout = 30 * time.Second
