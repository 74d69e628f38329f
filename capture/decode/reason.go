package decode

// Reason says why a packet could not be read.
type Reason uint8

// The reasons.
const (
	_             Reason = iota
	UnknownLink          // a link type that closecap does not know
	CutOff               // the snap length ends the packet before TCP's header does
	TooShort             // the packet ends before its headers do
	BadIPVersion         // neither 4 nor 6 where IP was announced, or the wrong one
	BadIPLength          // lengths in an IP header contradict each other
	BadTCPOffset         // TCP's data offset is below 5 or points past the segment
	TooDeep              // more layers than a packet can reasonably have
	BadLinkHeader        // a link or tunnel header contradicts itself
)

var reasonNames = [...]string{
	"", "unknown link type", "cut off by the snap length", "too short for its headers",
	"bad IP version", "bad IP length", "bad TCP data offset", "too many layers", "bad link header",
}

// Reasons is how many reasons there are, counting the zero one: the size of an array of counters.
const Reasons = len(reasonNames)

func (r Reason) String() string { return reasonNames[r] }
