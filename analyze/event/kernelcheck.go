package event

import (
	"errors"
	"fmt"
	"net/netip"
)

// Bounds of what a kernel tells of one socket: more is damage.
const (
	maxSteps     = 8    // as many as a socket's record holds
	maxWord      = 64   // bytes of a call's, an error's, a reason's and a process's name
	maxOwn       = 4096 // addresses of a machine
	maxSentences = 64
	maxSentence  = 1024
)

// Check reports what no watcher writes: an address that is none, a time or a number below zero, a
// word or a list that is too long, nothing at all or two things at once.
func (e *KernelEntry) Check() error {
	var err error
	n := 0
	if e.Endpoint != nil {
		n, err = n+1, e.Endpoint.check()
	}
	if e.Reset != nil {
		n, err = n+1, errors.Join(err, e.Reset.check())
	}
	if e.Release != nil {
		n, err = n+1, errors.Join(err, checkTime(e.Release.Time), e.Release.Task.check())
	}
	if e.Held != nil {
		n, err = n+1, errors.Join(err, checkTime(e.Held.Time), e.Held.Task.check())
	}
	if e.Begin != nil {
		n, err = n+1, errors.Join(err, e.Begin.check())
	}
	if e.Answer != nil {
		n, err = n+1, errors.Join(err, checkEnds(e.Answer.Local, e.Answer.Remote))
	}
	if e.Lost != nil {
		n++
	}
	if e.Told != nil {
		n, err = n+1, errors.Join(err, checkTime(e.Told.Time))
	}
	if err == nil && n != 1 {
		return fmt.Errorf("kernel entry of %d kinds", n)
	}
	return err
}

func (e *Endpoint) check() error {
	if n := len(e.Steps); n == 0 || n > maxSteps {
		return fmt.Errorf("endpoint with %d states", n)
	}
	for _, s := range e.Steps {
		if s.Time < 0 || s.State == StateUnknown {
			return fmt.Errorf("endpoint in state %v at %d", s.State, int64(s.Time))
		}
	}
	if e.ResetIn < 0 {
		return fmt.Errorf("RST received at %d", int64(e.ResetIn))
	}
	var icmp error
	if e.ICMP != nil {
		icmp = checkWord(e.ICMP.Errno)
	}
	return errors.Join(checkEnds(e.Local, e.Remote), checkWord(e.Errno), checkWord(e.SoftErrno), icmp, e.Open.check(), e.Fin.check(), e.End.check())
}

func (r *KernelReset) check() error {
	return errors.Join(checkTime(r.Time), checkEnds(r.Local, r.Remote), checkWord(r.Reason), r.Task.check())
}

func (w *KernelWatch) check() error {
	switch {
	case w.Ports < 0 || w.Ports > 1<<16:
		return fmt.Errorf("%d ephemeral ports", w.Ports)
	case len(w.Own) > maxOwn:
		return fmt.Errorf("%d addresses", len(w.Own))
	case len(w.Lacks) > maxSentences:
		return fmt.Errorf("%d sentences", len(w.Lacks))
	}
	for _, a := range w.Own {
		if !a.IsValid() || a.Zone() != "" {
			return fmt.Errorf("own address %v", a)
		}
	}
	for _, s := range w.Lacks {
		if len(s) > maxSentence {
			return fmt.Errorf("a sentence of %d bytes", len(s))
		}
	}
	return checkTime(w.Time)
}

func (t *Task) check() error {
	switch {
	case t == nil:
		return nil
	case t.PID < 0 || t.TID < 0 || t.FD < -1 || t.Signal < 0:
		return fmt.Errorf("task with pid %d, tid %d, fd %d, signal %d", t.PID, t.TID, t.FD, t.Signal)
	}
	return errors.Join(checkWord(t.Comm), checkWord(t.Call))
}

func checkEnds(local, remote netip.AddrPort) error {
	if !local.IsValid() || !remote.IsValid() {
		return errors.New("an address is missing")
	}
	if local.Addr().Zone() != "" || remote.Addr().Zone() != "" {
		return errors.New("an address with a zone")
	}
	return nil
}

func checkTime(t Time) error {
	if t <= 0 {
		return fmt.Errorf("time %d", int64(t))
	}
	return nil
}

func checkWord(s string) error {
	if len(s) > maxWord {
		return fmt.Errorf("a word of %d bytes", len(s))
	}
	return nil
}
