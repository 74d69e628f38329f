package lab

import (
	"fmt"
	"strconv"
	"time"
)

// optionKind is how a socket option's value is written and handed to the kernel.
type optionKind int

const (
	intOption    optionKind = iota // an int
	lingerOption                   // struct linger: seconds, or off
	timeOption                     // struct timeval: a duration
	errorOption                    // an errno, read only
)

// optionTable holds the socket options of the script language. Their numbers stand with
// the system calls.
var optionTable = map[string]optionKind{
	"SO_LINGER":         lingerOption,
	"SO_ERROR":          errorOption,
	"SO_RCVTIMEO":       timeOption,
	"SO_SNDTIMEO":       timeOption,
	"SO_REUSEADDR":      intOption,
	"SO_REUSEPORT":      intOption,
	"SO_KEEPALIVE":      intOption,
	"SO_RCVBUF":         intOption,
	"SO_SNDBUF":         intOption,
	"SO_RCVLOWAT":       intOption,
	"SO_OOBINLINE":      intOption,
	"TCP_NODELAY":       intOption,
	"TCP_CORK":          intOption,
	"TCP_QUICKACK":      intOption,
	"TCP_MAXSEG":        intOption,
	"TCP_KEEPIDLE":      intOption,
	"TCP_KEEPINTVL":     intOption,
	"TCP_KEEPCNT":       intOption,
	"TCP_SYNCNT":        intOption,
	"TCP_LINGER2":       intOption,
	"TCP_DEFER_ACCEPT":  intOption,
	"TCP_WINDOW_CLAMP":  intOption,
	"TCP_USER_TIMEOUT":  intOption,
	"TCP_FASTOPEN":      intOption,
	"TCP_NOTSENT_LOWAT": intOption,
}

// lingerOff is the value of SO_LINGER that turns lingering off.
const lingerOff = -1

func parseSetsockopt(st *step, w []token) error {
	if len(w) != 2 {
		return fmt.Errorf("setsockopt: want an option and its value")
	}
	name, value := w[0].text, w[1].text
	if err := oneKnown("socket option", name, sortedKeys(optionTable)); err != nil {
		return err
	}
	st.op.Option = name
	n, err := strconv.ParseInt(value, 10, 32)
	switch optionTable[name] {
	case errorOption:
		return fmt.Errorf("%s cannot be set", name)
	case lingerOption:
		if value == "off" {
			n, err = lingerOff, nil
		} else if n < 0 {
			return fmt.Errorf(`SO_LINGER %s: want seconds or "off"`, value)
		}
	case timeOption:
		var d time.Duration
		d, err = time.ParseDuration(value)
		n = int64(d)
	}
	if err != nil {
		return fmt.Errorf("%s %s: not a value that it takes", name, value)
	}
	st.op.Value = n
	st.op.Words = []string{value}
	return nil
}

func parseGetsockopt(st *step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("getsockopt: want an option")
	}
	st.op.Option = w[0].text
	if kind := optionTable[w[0].text]; kind == lingerOption || kind == timeOption {
		return fmt.Errorf("getsockopt %s: only options that are one number", w[0].text)
	}
	return oneKnown("socket option", w[0].text, sortedKeys(optionTable))
}
