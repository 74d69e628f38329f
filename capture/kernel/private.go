package kernel

import "io"

// PrivateOptions say what runs in the private namespace. A nil stream is the null device.
type PrivateOptions struct {
	Args           []string // after the program's name; nil means this process's own
	Env            []string // added to this process's environment
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Last says that this process does nothing else that needs privileges: it drops them once
	// the other one runs.
	Last bool
}
