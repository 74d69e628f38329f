package analyze

import "time"

// LinuxTimeWait is how long Linux keeps an end in TIME_WAIT (TCP_TIMEWAIT_LEN, include/net/tcp.h).
const LinuxTimeWait = 60 * time.Second

// DefaultTimeWait is how long an end stays in TIME_WAIT where nobody says.
const DefaultTimeWait = LinuxTimeWait

// Options say what a Follower is to assume and to keep. The zero value works.
type Options struct {
	// TimeWait is how long an end stays in TIME_WAIT; 0 means DefaultTimeWait.
	TimeWait time.Duration
	// MaxConnections bounds the connections held open at a time; past it the one idle for
	// longest, to eight seconds, is given up. 0 means 131,072; each costs a kilobyte at
	// first, up to 4 KB once it has some dozen segments.
	MaxConnections int
	// AllSegments lists every segment in the result, not only handshake and teardown.
	AllSegments bool
	// SameHost says that both ends live on the capturing host: a segment is stamped as it
	// leaves and its receiver gets it at once. Of connections between loopback addresses it is
	// known without.
	SameHost bool
}
