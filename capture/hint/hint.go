// Package hint gives an error a line that says what to do about it. It shows nothing: the command
// line does.
package hint

import "errors"

// hinted is an error together with what a person can do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint returns what can be done about the error, one line.
func (h *hinted) Hint() string { return h.hint }

// With returns err with a line that says what to do about it. A nil err stays nil.
func With(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// Of returns the hint that the outermost error of err's chain carries, "" without one. Any
// error with a method Hint() string counts.
func Of(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
