package analyze

import "net/netip"

// Vantage is a connection as one capture point saw it.
type Vantage struct {
	Point      string         `json:"point"`
	Client     netip.AddrPort `json:"client"` // its addresses there, which translation may change
	Server     netip.AddrPort `json:"server"`
	Packets    PerSide        `json:"packets"`
	ClockAhead *int64         `json:"clock_ahead_ns,omitempty"` // of the clock that times are given by, told by the packets; nil where that is not known
}

// Path is what became of packets between two capture points.
type Path struct {
	Lost []OnPath `json:"lost,omitempty"` // seen at one point, and not at the next on their way
	Made []OnPath `json:"made,omitempty"` // seen in the name of an end, and not at a point nearer to it: an RST or FIN of what lies between
}

// OnPath is a packet that only one of two capture points saw, though it should have passed both.
type OnPath struct {
	Frame      uint64     `json:"frame"`
	From       Side       `json:"from"` // in whose name it came
	Flags      string     `json:"flags"`
	Bytes      uint32     `json:"bytes"` // of payload
	Seen       string     `json:"seen"`
	Missing    string     `json:"missing"` // the point that would have seen it
	Confidence Confidence `json:"confidence"`
	Why        string     `json:"why,omitempty"` // what else shows it
}

// LostOnTheWay is the note of a segment that one capture point saw and the next on its way did not.
const LostOnTheWay = "lost on the way"

// Sighting is a packet at one capture point.
type Sighting struct {
	Point string `json:"point"`
	Frame uint64 `json:"frame"` // in that point's own files; 0 where it passed in segments of another size
}
