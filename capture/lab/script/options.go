package script

import (
	"fmt"
	"strconv"
	"time"
)

// OptionKind is how a socket option's value is written and handed to the kernel.
type OptionKind int

const (
	IntOption    OptionKind = iota // an int
	LingerOption                   // struct linger: seconds, or off
	TimeOption                     // struct timeval: a duration
	ErrorOption                    // an errno, read only
)

// OptionKinds holds the socket options of the script language. Their numbers stand with
// the system calls.
var OptionKinds = map[string]OptionKind{
	"SO_LINGER":         LingerOption,
	"SO_ERROR":          ErrorOption,
	"SO_RCVTIMEO":       TimeOption,
	"SO_SNDTIMEO":       TimeOption,
	"SO_REUSEADDR":      IntOption,
	"SO_REUSEPORT":      IntOption,
	"SO_KEEPALIVE":      IntOption,
	"SO_RCVBUF":         IntOption,
	"SO_SNDBUF":         IntOption,
	"SO_RCVLOWAT":       IntOption,
	"SO_OOBINLINE":      IntOption,
	"TCP_NODELAY":       IntOption,
	"TCP_CORK":          IntOption,
	"TCP_QUICKACK":      IntOption,
	"TCP_MAXSEG":        IntOption,
	"TCP_KEEPIDLE":      IntOption,
	"TCP_KEEPINTVL":     IntOption,
	"TCP_KEEPCNT":       IntOption,
	"TCP_SYNCNT":        IntOption,
	"TCP_LINGER2":       IntOption,
	"TCP_DEFER_ACCEPT":  IntOption,
	"TCP_WINDOW_CLAMP":  IntOption,
	"TCP_USER_TIMEOUT":  IntOption,
	"TCP_FASTOPEN":      IntOption,
	"TCP_NOTSENT_LOWAT": IntOption,
}

// LingerOff is the value of SO_LINGER that turns lingering off.
const LingerOff = -1

func parseSetsockopt(st *Step, w []token) error {
	if len(w) != 2 {
		return fmt.Errorf("setsockopt: want an option and its value")
	}
	name, value := w[0].text, w[1].text
	if err := oneKnown("socket option", name, sortedKeys(OptionKinds)); err != nil {
		return err
	}
	st.Op.Option = name
	n, err := strconv.ParseInt(value, 10, 32)
	switch OptionKinds[name] {
	case ErrorOption:
		return fmt.Errorf("%s cannot be set", name)
	case LingerOption:
		if value == "off" {
			n, err = LingerOff, nil
		} else if n < 0 {
			return fmt.Errorf(`SO_LINGER %s: want seconds or "off"`, value)
		}
	case TimeOption:
		var d time.Duration
		d, err = time.ParseDuration(value)
		n = int64(d)
	}
	if err != nil {
		return fmt.Errorf("%s %s: not a value that it takes", name, value)
	}
	st.Op.Value = n
	st.Op.Words = []string{value}
	return nil
}

func parseGetsockopt(st *Step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("getsockopt: want an option")
	}
	st.Op.Option = w[0].text
	if kind := OptionKinds[w[0].text]; kind == LingerOption || kind == TimeOption {
		return fmt.Errorf("getsockopt %s: only options that are one number", w[0].text)
	}
	return oneKnown("socket option", w[0].text, sortedKeys(OptionKinds))
}
