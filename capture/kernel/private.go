package kernel

import (
	"io"
	"os"
)

// PrivateOptions say what runs in the private namespace. A nil stream is the null device.
type PrivateOptions struct {
	Args           []string // after the program's name; nil means this process's own
	Env            []string // added to this process's environment
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Last says that this process does nothing else that needs privileges: it drops them once
	// the other one runs.
	Last bool

	// Aside does for the other process what this one alone may: it is called with that one's number once it runs,
	// and with this end of the stream whose other end Aside returns there, and may return what goes on beside it.
	// The stream is closed where it returns nil, and the other process ended where it returns an error. nil: there
	// is no stream. It is for a process that starts no other at that time.
	Aside func(pid int, stream *os.File) (beside func(), err error)
}
