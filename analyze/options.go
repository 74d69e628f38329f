package analyze

import "time"

// LinuxTimeWait is how long Linux keeps an end in TIME_WAIT (TCP_TIMEWAIT_LEN, include/net/tcp.h).
const LinuxTimeWait = 60 * time.Second

// DefaultTimeWait is how long an end stays in TIME_WAIT where nobody says.
const DefaultTimeWait = LinuxTimeWait

// DefaultMaxMemory is what connections may take where nobody says.
const DefaultMaxMemory = 1 << 30

// Options say what a Follower is to assume and to keep. The zero value works.
type Options struct {
	// TimeWait is how long an end stays in TIME_WAIT; 0 means DefaultTimeWait.
	TimeWait time.Duration
	// MaxMemory is about what a process may take, in bytes, for the connections that are followed. Each costs
	// a kilobyte at first, up to 4 KB once it has some dozen segments. What does not fit is judged before its
	// time: first connections that are over and wait for what may still come, then the open one that was idle
	// for longest, to eight seconds. 0 means DefaultMaxMemory, and no more than 8,192 that wait:
	// to let all of them wait costs a busy capture half as much time again, and tells what ended TIME_WAIT.
	MaxMemory int64
	// MaxConnections bounds the connections held open at a time, in the same way; 0 means no bound but
	// the memory.
	MaxConnections int
	// AllSegments lists every segment in the result, not only handshake and teardown.
	AllSegments bool
	// SameHost says that both ends live on the capturing host: a segment is stamped as it
	// leaves and its receiver gets it at once. Of connections between loopback addresses it is
	// known without.
	SameHost bool
	// SkipCompat leaves each connection's Compat empty, which saves 4 % of a summary's CPU time, and with the checksums, which
	// matter to nothing else, 8 %.
	SkipCompat bool
}
